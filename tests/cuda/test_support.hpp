/* What tests of the emulator share: launching a kernel, device memory as a vector, programs that must fail.
 */
#ifndef TESTS_CUDA_TEST_SUPPORT_HPP
#define TESTS_CUDA_TEST_SUPPORT_HPP

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

extern "C" {
#include <cmocka.h>
}
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "ttt/device/kernel.cuh"

template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes, Arguments... arguments)
{
    assert_int_equal(
        emulate_launch(grid, block, shared_bytes, [=] { kernel(static_cast<Parameters>(arguments)...); }),
        cudaSuccess);
}

/* What `run` writes to stderr before it aborts, in a process of its own. */
template <class F> std::string message_of_fault(F run)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        run();
        _exit(0);
    }
    close(ends[1]);
    std::string text;
    char bytes[256];
    for (ssize_t n; (n = read(ends[0], bytes, sizeof bytes)) > 0;)
        text.append(bytes, static_cast<size_t>(n));
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status));
    return text;
}

#define assert_contains(text, part) assert_non_null(strstr((text).c_str(), part))

#endif
