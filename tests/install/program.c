/* y = silu(x w) on the CPU, with nothing but the installed library. */
#include <stdio.h>

#include "ttt/graph/plan.h"
#include "ttt/ops/matmul/matmul.h"
#include "ttt/ops/pointwise/pointwise.h"

static ttt_status run(float *y)
{
    ttt_device *device;
    ttt_store *store;
    ttt_graph *g;
    ttt_plan *plan;
    TRY(ttt_device_open("cpu", 1, &device));
    TRY(ttt_store_create(device, &store));
    TRY(ttt_graph_create(&g));
    ttt_tensor x = ttt_input(g, "x", TTT_F32, ttt_dims(1, 2));
    ttt_output(g, "y", ttt_silu(g, ttt_matmul(g, x, ttt_variable(g, "w", TTT_F32, ttt_dims(2, 1)))));
    TRY(ttt_plan_create(g, store, NULL, &plan));
    TRY(ttt_plan_prepare(plan));
    TRY(ttt_store_write(store, "w", (float[]){3, 4}));
    TRY(ttt_plan_write(plan, "x", (float[]){2, -1}));
    TRY(ttt_plan_run(plan));
    TRY(ttt_plan_read(plan, "y", y));
    ttt_plan_destroy(plan);
    ttt_graph_destroy(g);
    ttt_store_destroy(store);
    ttt_device_close(device);
    return TTT_OK;
}

int main(void)
{
    float y = 0;
    ttt_status status = run(&y);
    if (status)
        fprintf(stderr, "%s\n", ttt_status_text(status));
    else
        printf("silu(2) = %.6f\n", (double)y);
    return status != TTT_OK;
}
