/* What a graph is built for, and what its builder says of tensors. */
#include "ttt/graph/graph_internal.h"

void ttt_graph_target(ttt_graph *graph, ttt_device_kind kind, ttt_dtype activations)
{
    if (activations != TTT_F32 && activations != TTT_BF16) {
        ttt_graph_fail(graph, TTT_DTYPE, "activations are f32 or bf16, not %s", ttt_dtype_name(activations));
        return;
    }
    graph->has_target = true;
    graph->target = kind;
    graph->shared_memory = SIZE_MAX;
    graph->activations = activations;
}

void ttt_graph_target_device(ttt_graph *graph, const ttt_device *device, ttt_dtype activations)
{
    ttt_graph_target(graph, ttt_device_kind_of(device), activations);
    graph->shared_memory = ttt_device_shared_memory(device);
}

size_t ttt_graph_shared_memory(const ttt_graph *graph)
{
    return graph->has_target ? graph->shared_memory : SIZE_MAX;
}

bool ttt_graph_targets(const ttt_graph *graph, ttt_device_kind kind, ttt_dtype activations)
{
    return graph->has_target && graph->target == kind && graph->activations == activations;
}

ttt_tensor ttt_precise(ttt_graph *graph, ttt_tensor x)
{
    if (ttt_exists(x))
        graph->storages[graph->tensors[x.index].storage].precise = true;
    return x;
}

ttt_tensor ttt_symmetric(ttt_graph *graph, ttt_tensor x)
{
    if (ttt_exists(x))
        graph->tensors[x.index].symmetric = true;
    return x;
}

bool ttt_is_symmetric(const ttt_graph *graph, ttt_tensor x)
{
    return ttt_exists(x) && graph->tensors[x.index].symmetric;
}
