/* Compiling kernels with NVRTC, and keeping them with the device. */
#include "ttt/device/cuda_compile.h"

#include <nvrtc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct compiled {
    cudaLibrary_t library;
    cudaKernel_t kernel;
};

static void release(void *thing)
{
    struct compiled *compiled = thing;
    if (compiled->library)
        cudaLibraryUnload(compiled->library);
    free(compiled);
}

static ttt_status no_memory(void)
{
    return ttt_fail(TTT_MEMORY, "no memory to compile a kernel");
}

static ttt_status check(nvrtcResult result, const char *what)
{
    return result == NVRTC_SUCCESS
               ? TTT_OK
               : ttt_fail(TTT_DEVICE, "NVRTC failed at %s: %s", what, nvrtcGetErrorString(result));
}

static ttt_status failed_to_compile(nvrtcProgram program, nvrtcResult result)
{
    char log[1024] = "";
    size_t bytes = 0;
    if (nvrtcGetProgramLogSize(program, &bytes) == NVRTC_SUCCESS && bytes <= sizeof log)
        nvrtcGetProgramLog(program, log);
    log[strcspn(log, "\n")] = '\0';
    return ttt_fail(TTT_DEVICE, "NVRTC failed to compile a kernel: %s: %s", nvrtcGetErrorString(result), log);
}

static ttt_status code_of(nvrtcProgram program, void **code)
{
    size_t bytes = 0;
    TRY(check(nvrtcGetCUBINSize(program, &bytes), "asking for code"));
    if (!(*code = malloc(bytes)))
        return no_memory();
    return check(nvrtcGetCUBIN(program, *code), "asking for code");
}

ttt_status ttt_cuda_compile(const char *source, int capability, bool approximate, void **code)
{
    char architecture[32];
    snprintf(architecture, sizeof architecture, "--gpu-architecture=sm_%d", capability);
    const char *options[] = {architecture, "--std=c++17", "--use_fast_math"};
    nvrtcProgram program = NULL;
    ttt_status status = TTT_OK;
    *code = NULL;
    TRY(check(nvrtcCreateProgram(&program, source, "kernel.cu", 0, NULL, NULL), "taking a source"));
    nvrtcResult result = nvrtcCompileProgram(program, approximate ? 3 : 2, options);
    status = result == NVRTC_SUCCESS ? code_of(program, code) : failed_to_compile(program, result);
    nvrtcDestroyProgram(&program);
    if (status) {
        free(*code);
        *code = NULL;
    }
    return status;
}

static ttt_status load(struct compiled *compiled, const char *source, int capability, const char *name,
                       bool approximate)
{
    void *code = NULL;
    TRY(ttt_cuda_compile(source, capability, approximate, &code));
    ttt_status status = ttt_cuda_check(
        cudaLibraryLoadData(&compiled->library, code, NULL, NULL, 0, NULL, NULL, 0), "loading a kernel");
    free(code);
    TRY(status);
    return ttt_cuda_check(cudaLibraryGetKernel(&compiled->kernel, compiled->library, name),
                          "looking for a kernel");
}

static ttt_status make(ttt_device *device, const char *key, const char *source, const char *name,
                       bool approximate, struct compiled **made)
{
    struct compiled *compiled = calloc(1, sizeof *compiled);
    if (!compiled)
        return no_memory();
    ttt_status status = load(compiled, source, ttt_cuda_capability(device), name, approximate);
    if (status) {
        release(compiled);
        return status;
    }
    *made = compiled;
    return ttt_cuda_keep(device, key, strlen(key), compiled, release);
}

ttt_status ttt_cuda_kernel(ttt_device *device, const char *source, const char *name, bool approximate,
                           const void **kernel)
{
    const size_t bytes = strlen(source) + 32;
    char *key = malloc(bytes);
    if (!key)
        return no_memory();
    snprintf(key, bytes, "%s kernel: %s", approximate ? "approximate" : "exact", source);
    struct compiled *compiled = ttt_cuda_find(device, key, strlen(key));
    ttt_status status = compiled ? TTT_OK : make(device, key, source, name, approximate, &compiled);
    free(key);
    if (!status)
        *kernel = (const void *)compiled->kernel;
    return status;
}
