/* The host's processors: OpenMP threads, a BLAS, plain memory. */
#include <cblas.h>
#include <omp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ttt/base/clock.h"
#include "ttt/device/device_internal.h"

/* Present where the BLAS is OpenBLAS; a BLAS without it must be serial. */
extern void openblas_set_num_threads(int threads) __attribute__((weak));
extern char *openblas_get_corename(void) __attribute__((weak));

struct cpu {
    ttt_device device;
    double marks[TTT_DEVICE_MARKS];
};

static void cpu_close(ttt_device *device)
{
    free((struct cpu *)device);
}

static ttt_status cpu_mark(ttt_device *device, int i)
{
    ((struct cpu *)device)->marks[i] = ttt_seconds();
    return TTT_OK;
}

static ttt_status cpu_elapsed(ttt_device *device, int from, int to, double *seconds)
{
    const struct cpu *cpu = (struct cpu *)device;
    *seconds = cpu->marks[to] - cpu->marks[from];
    return TTT_OK;
}

/* The value of a line "FIELD:   123 kB" of a /proc file, in bytes; 0 when it is not there. */
static int64_t proc_bytes(const char *path, const char *field)
{
    FILE *file = fopen(path, "r");
    char line[256];
    int64_t kib = 0;
    size_t length = strlen(field);
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, field, length) && line[length] == ':')
            kib = strtoll(line + length + 1, NULL, 10);
    if (file)
        fclose(file);
    return kib * 1024;
}

static int64_t cpu_memory_free(const ttt_device *device)
{
    (void)device;
    return proc_bytes("/proc/meminfo", "MemAvailable");
}

static int64_t cpu_memory_total(const ttt_device *device)
{
    (void)device;
    return (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGE_SIZE);
}

static void *cpu_allocate(ttt_device *device, size_t bytes)
{
    (void)device;
    const size_t huge = (size_t)2 << 20, alignment = bytes >= 4 * huge ? huge : 64;
    size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    void *memory = aligned_alloc(alignment, rounded ? rounded : alignment);
    /* Rows far apart, as heads within tokens are, cost a page walk each in small pages. */
    if (memory && alignment == huge)
        madvise(memory, rounded, MADV_HUGEPAGE);
    return memory;
}

static void cpu_release(ttt_device *device, void *memory)
{
    (void)device;
    free(memory);
}

static ttt_status cpu_copy(ttt_device *device, void *to, const void *from, size_t bytes)
{
    (void)device;
    memcpy(to, from, bytes);
    return TTT_OK;
}

/* The side of the square product whose rate is the machine's: large enough to amortise packing. */
enum { MEASURED_SIDE = 1536 };

/* One product, each thread computing its rows. */
static double product_seconds(int threads, const float *a, const float *b, float *c)
{
    double start = ttt_seconds();
#pragma omp parallel num_threads(threads)
    {
        int n = MEASURED_SIDE, share = omp_get_num_threads(), me = omp_get_thread_num();
        int from = n * me / share, rows = n * (me + 1) / share - from;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, n, n, 1, a + (size_t)from * n, n, b, n,
                    0, c + (size_t)from * n, n);
    }
    return ttt_seconds() - start;
}

static double copy_seconds(int threads, size_t bytes, const char *from, char *to)
{
    double start = ttt_seconds();
#pragma omp parallel num_threads(threads)
    {
        size_t share = (size_t)omp_get_num_threads(), me = (size_t)omp_get_thread_num();
        size_t first = bytes * me / share, last = bytes * (me + 1) / share;
        memcpy(to + first, from + first, last - first);
    }
    return ttt_seconds() - start;
}

static void fill_factors(float *ab)
{
    for (size_t i = 0; i < 2 * (size_t)MEASURED_SIDE * MEASURED_SIDE; i++)
        ab[i] = (float)(i * 2654435761u % 1000) * 1e-3f - 0.5f;
}

static double product_rate(double seconds)
{
    return 2.0 * MEASURED_SIDE * MEASURED_SIDE * MEASURED_SIDE / seconds;
}

static ttt_status cpu_measure_product(ttt_device *device, double *flops)
{
    const size_t elements = (size_t)MEASURED_SIDE * MEASURED_SIDE;
    void *memory;
    TRY(ttt_device_allocate(device, 3 * elements * sizeof(float), &memory));
    float *a = memory, *b = a + elements, *c = b + elements;
    fill_factors(a);
    memset(c, 0, elements * sizeof *c);
    const double first = product_seconds(device->threads, a, b, c),
                 second = product_seconds(device->threads, a, b, c);
    *flops = product_rate(first < second ? first : second);
    ttt_device_release(device, memory);
    return TTT_OK;
}

static ttt_status cpu_measure(ttt_device *device, ttt_device_rates *rates)
{
    /* The two halves must not agree in their low address bits: some processors then copy far below their
     * rate. */
    const size_t elements = (size_t)MEASURED_SIDE * MEASURED_SIDE, copied = (size_t)128 << 20,
                 apart = copied + 1088;
    void *memory;
    TRY(ttt_device_allocate(device, apart + copied, &memory));
    float *a = memory, *b = a + elements, *c = b + elements;
    fill_factors(a);

    double product = 1e9, copy = 1e9;
    for (int run = 0; run < 8; run++) {
        double seconds = product_seconds(device->threads, a, b, c);
        product = seconds < product ? seconds : product;
    }
    memset(memory, 1, apart + copied);
    for (int run = 0; run < 6; run++) {
        double seconds = copy_seconds(device->threads, copied, memory, (char *)memory + apart);
        copy = seconds < copy ? seconds : copy;
    }
    ttt_device_release(device, memory);
    rates->matmul_flops = product_rate(product);
    rates->copy_bytes = 2.0 * (double)copied / copy;
    return TTT_OK;
}

static const struct ttt_device_operations cpu_operations = {
    .kind = TTT_CPU,
    .close = cpu_close,
    .memory_free = cpu_memory_free,
    .memory_total = cpu_memory_total,
    .allocate = cpu_allocate,
    .release = cpu_release,
    .upload = cpu_copy,
    .download = cpu_copy,
    .measure = cpu_measure,
    .measure_product = cpu_measure_product,
    .mark = cpu_mark,
    .elapsed = cpu_elapsed,
};

static int cores_available(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
}

static void describe(ttt_device *device)
{
    char line[256], model[96] = "CPU";
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "model name : %95[^\n]", model) == 1)
            break;
    if (file)
        fclose(file);
    snprintf(device->description, sizeof device->description, "%s, %d thread%s, BLAS %s", model,
             device->threads, device->threads == 1 ? "" : "s",
             openblas_get_corename ? openblas_get_corename() : "serial");
}

ttt_status ttt_cpu_open(int threads, ttt_device **device)
{
    if (threads < 0 || threads > 4096)
        return ttt_fail(TTT_ARGUMENT, "%d threads: 1 to 4096, or 0 for one per core", threads);
    struct cpu *opened = calloc(1, sizeof *opened);
    if (!opened)
        return ttt_fail(TTT_MEMORY, "no memory to open the CPU");
    ttt_device *cpu = &opened->device;
    cpu->operations = &cpu_operations;
    cpu->threads = threads ? threads : cores_available();
    snprintf(cpu->name, sizeof cpu->name, "cpu");
    if (openblas_set_num_threads)
        openblas_set_num_threads(1);
    describe(cpu);
    *device = cpu;
    return TTT_OK;
}
