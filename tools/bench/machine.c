/* The device of a benchmark and what it reaches. */
#include "tools/bench/machine.h"

#include <stdio.h>

#include "tools/output.h"

ttt_status bench_machine_open(const char *name, int threads, struct bench_machine *machine)
{
    *machine = (struct bench_machine){0};
    TRY(ttt_device_open(name, threads, &machine->device));
    ttt_status status = ttt_device_measure(machine->device, &machine->before);
    if (status)
        bench_machine_close(machine);
    return status;
}

void bench_machine_close(struct bench_machine *machine)
{
    ttt_device_close(machine->device);
    machine->device = NULL;
}

ttt_status bench_machine_finish(struct bench_machine *machine)
{
    return ttt_device_measure(machine->device, &machine->after);
}

ttt_device_rates bench_machine_rates(const struct bench_machine *machine)
{
    const ttt_device_rates *a = &machine->before, *b = &machine->after;
    return (ttt_device_rates){.matmul_flops =
                                  a->matmul_flops > b->matmul_flops ? a->matmul_flops : b->matmul_flops,
                              .copy_bytes = a->copy_bytes > b->copy_bytes ? a->copy_bytes : b->copy_bytes};
}

static void print_rate(const char *what, double before, double after, const char *unit)
{
    printf("  %-9s %s (before %s, after %s)\n", what, output_si(before > after ? before : after, unit).text,
           output_si(before, unit).text, output_si(after, unit).text);
}

void bench_machine_print(const struct bench_machine *machine)
{
    printf("  machine   %s: %s\n", ttt_device_name(machine->device), ttt_device_description(machine->device));
    print_rate("SGEMM", machine->before.matmul_flops, machine->after.matmul_flops, "FLOP/s");
    print_rate("copy", machine->before.copy_bytes, machine->after.copy_bytes, "B/s");
}
