/* Work over the elements of many tensors on CUDA: blocks, each over a piece of one tensor.
 *
 * Where the tensors lie travels in the kernel's parameters, so nothing is uploaded and one launch is all
 * there is, for the some hundreds of tensors that a model has; of very many, some launches.
 */
#ifndef TTT_OPS_OPTIMISER_PIECES_CUH
#define TTT_OPS_OPTIMISER_PIECES_CUH

#include "ttt/device/kernel.cuh"

enum {
    PIECE = 4096, /* elements: enough to hide a block's start, few enough to balance multiprocessors */
    PIECE_THREADS = 256,
    LIST_BYTES = 32700, /* of the 32764 that CUDA passes to a kernel from 12.1 on */
};

/* EACH tensors of one length that belong together, such as a parameter and its gradient. */
template <int EACH> struct tensor_group {
    float *data[EACH];
    int64_t elements;
    unsigned first_piece; /* within the launch */
    float value;          /* what the operator keeps for it */
};

template <int EACH> struct tensor_list {
    static constexpr int most = LIST_BYTES / (int)sizeof(tensor_group<EACH>);
    int count;
    tensor_group<EACH> group[most];
};

/* A list as a kernel's parameter; the emulator's threads, with small stacks, share one. */
#ifdef TTT_CUDA_EMULATED
template <int EACH> using passed_list = const tensor_list<EACH> &;
#else
template <int EACH> using passed_list = tensor_list<EACH>;
#endif

/* ---- host ---- */

/* Calls enqueue_list(list, pieces, first piece of all) for lists of all tensors in[first], in[first + EACH],
 * ...; value_of(i) is the value of the i-th group. */
template <int EACH, class V, class F>
ttt_status for_each_list(const ttt_launch *launch, int first, V value_of, F enqueue_list)
{
    int64_t done = 0;
    const int groups = (launch->n_in - first) / EACH;
    for (int i = 0; i < groups;) {
        tensor_list<EACH> list = {};
        unsigned pieces = 0;
        for (; i < groups && list.count < list.most; i++) {
            const ttt_operand *in = &launch->in[first + i * EACH];
            tensor_group<EACH> *group = &list.group[list.count++];
            for (int k = 0; k < EACH; k++)
                group->data[k] = static_cast<float *>(in[k].data);
            group->elements = ttt_operand_elements(in);
            group->first_piece = pieces;
            group->value = value_of(i);
            pieces += blocks_for(group->elements, PIECE);
        }
        TRY(enqueue_list(list, pieces, done));
        done += pieces;
    }
    return TTT_OK;
}

/* ---- device ---- */

/* The group that the block's piece belongs to. */
template <int EACH> __device__ inline const tensor_group<EACH> &group_of_block(const tensor_list<EACH> &list)
{
    int low = 0, high = list.count - 1;
    while (low < high) {
        const int middle = (low + high + 1) / 2;
        if (list.group[middle].first_piece <= blockIdx.x)
            low = middle;
        else
            high = middle - 1;
    }
    return list.group[low];
}

/* Calls work on N elements of each tensor, from `at` on; stores those whose bit is set in WRITTEN. */
template <int N, unsigned WRITTEN, int EACH, class F>
__device__ inline void work_on(const tensor_group<EACH> &group, int64_t at, F work)
{
    float x[EACH][N];
#pragma unroll
    for (int k = 0; k < EACH; k++)
        load<N>(group.data[k] + at, x[k]);
#pragma unroll
    for (int i = 0; i < N; i++) {
        float each[EACH];
#pragma unroll
        for (int k = 0; k < EACH; k++)
            each[k] = x[k][i];
        work(each);
#pragma unroll
        for (int k = 0; k < EACH; k++)
            x[k][i] = each[k];
    }
#pragma unroll
    for (int k = 0; k < EACH; k++)
        if (WRITTEN >> k & 1)
            store<N>(group.data[k] + at, x[k]);
}

/* Calls work(float (&x)[EACH]) for every element of the block's piece: x[k] is that of tensor k, and may be
 * changed where WRITTEN has bit k. */
template <unsigned WRITTEN, int EACH, class F>
__device__ inline void for_each_element(const tensor_group<EACH> &group, F work)
{
    const int64_t start = (int64_t)(blockIdx.x - group.first_piece) * PIECE;
    const int count = (int)(group.elements - start < PIECE ? group.elements - start : PIECE);
    bool aligned = true;
    for (int k = 0; k < EACH; k++)
        aligned = aligned && (uintptr_t)group.data[k] % 16 == 0;
    const int in_fours = aligned ? count / 4 * 4 : 0;
    for (int i = 4 * (int)threadIdx.x; i < in_fours; i += 4 * PIECE_THREADS)
        work_on<4, WRITTEN>(group, start + i, work);
    for (int i = in_fours + (int)threadIdx.x; i < count; i += PIECE_THREADS)
        work_on<1, WRITTEN>(group, start + i, work);
}

#endif
