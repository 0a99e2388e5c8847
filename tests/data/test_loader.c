/* The loader: the same batches from any number of threads and from any start; clean ends. */
#include "tests/support/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/data/loader_sets.h"

/* A digest of all that a batch holds; FNV-1a. */
static uint64_t digest(uint64_t hash, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t batch_digest(const struct batch *batch, int batch_size)
{
    uint64_t hash = digest(batch->epoch * 1000 + batch->index, &batch->count, sizeof(batch->count));
    hash = digest(hash, batch->labels, (size_t)batch_size * sizeof(*batch->labels));
    hash = digest(hash, batch->indices, (size_t)batch_size * sizeof(*batch->indices));
    return digest(hash, batch->images, (size_t)batch_size * PICTURE * sizeof(float));
}

/* Digests of the first `count` batches. */
static void run(const struct pictures *set, const struct loader_options *options, int count,
                uint64_t *digests)
{
    struct loader *loader;
    struct batch batch;
    check_ok(loader_create(set, options, &loader));
    for (int i = 0; i < count; i++) {
        check_ok(loader_next(loader, &batch));
        digests[i] = batch_digest(&batch, options->batch_size);
    }
    loader_destroy(loader);
}

static void threads_and_prefetch_do_not_matter(void **state)
{
    (void)state;
    enum { BATCHES = 25 };
    static const int threads[] = {0, 1, 2, 5};
    uint64_t expected[BATCHES], found[BATCHES];
    ruin(train, 7);
    for (int bad = 0; bad < 2; bad++) {
        for (int i = 0; i < 4; i++) {
            struct loader_options options = options_for(true, threads[i]);
            options.prefetch = 1 + i;
            options.drop_last = bad == 1;
            run(train, &options, BATCHES, i == 0 ? expected : found);
            if (i > 0)
                assert_memory_equal(found, expected, sizeof(expected));
        }
        ruin(train, 8);
        ruin(train, TRAIN - 1);
    }
}

static void a_loader_can_start_anywhere(void **state)
{
    (void)state;
    enum { BATCHES = 30 };
    uint64_t whole[BATCHES], rest[BATCHES];
    struct loader_options options = options_for(true, 2);
    run(train, &options, BATCHES, whole);
    for (int start = 1; start < BATCHES - 1; start += 4) {
        options.threads = start % 3;
        options.first_epoch = (uint64_t)start / 11; /* 41 pictures are 11 batches of 4 */
        options.first_batch = (uint64_t)start % 11;
        run(train, &options, BATCHES - start, rest);
        assert_memory_equal(rest, whole + start, (size_t)(BATCHES - start) * sizeof(*rest));
    }
    options.first_epoch = 0;
    options.first_batch = 12;
    run(train, &options, 3, rest);
    assert_memory_equal(rest, whole + 12, 3 * sizeof(*rest));
}

/* Every picture once per epoch, in another order, seen otherwise, with its own label. */
static void an_epoch_is_a_permutation(void **state)
{
    (void)state;
    struct loader_options options = options_for(true, 2);
    struct loader *loader;
    struct batch batch;
    uint32_t order[2][TRAIN];
    float first_pixels[2][TRAIN];
    check_ok(loader_create(train, &options, &loader));
    assert_int_equal(loader_batches(loader), 11);
    for (uint64_t epoch = 0; epoch < 2; epoch++) {
        int seen[TRAIN] = {0}, position = 0;
        for (uint64_t b = 0; b < 11; b++) {
            check_ok(loader_next(loader, &batch));
            assert_int_equal(batch.epoch, epoch);
            assert_int_equal(batch.index, b);
            assert_int_equal(batch.count, b < 10 ? 4 : 1);
            for (int i = 0; i < batch.count; i++) {
                assert_int_equal(batch.labels[i], pictures_label(train, batch.indices[i]));
                first_pixels[epoch][batch.indices[i]] = batch.images[i * PICTURE];
                seen[batch.indices[i]]++;
                order[epoch][position++] = batch.indices[i];
            }
        }
        for (int i = 0; i < TRAIN; i++)
            assert_int_equal(seen[i], 1);
    }
    assert_memory_not_equal(order[0], order[1], sizeof(order[0]));
    int same = 0;
    for (int i = 0; i < TRAIN; i++)
        same += first_pixels[0][i] == first_pixels[1][i];
    assert_true(same < TRAIN / 2);
    loader_destroy(loader);
}

static void seeds_matter_and_short_batches_can_be_dropped(void **state)
{
    (void)state;
    uint64_t a[2], b[2];
    struct loader_options options = options_for(true, 0);
    run(train, &options, 2, a);
    options.seed++;
    run(train, &options, 2, b);
    assert_true(a[0] != b[0] && a[1] != b[1]);

    struct loader *loader;
    struct batch batch;
    options.drop_last = true;
    check_ok(loader_create(train, &options, &loader));
    assert_int_equal(loader_batches(loader), 10);
    for (int i = 0; i < 11; i++) {
        check_ok(loader_next(loader, &batch));
        assert_int_equal(batch.count, BATCH);
        assert_int_equal(batch.epoch, i / 10);
    }
    loader_destroy(loader);
}

static void evaluation_takes_every_picture_in_order(void **state)
{
    (void)state;
    for (int threads = 0; threads < 4; threads++) {
        struct loader_options options = options_for(false, threads);
        struct loader *loader;
        struct batch batch;
        uint32_t next = 0;
        check_ok(loader_create(val, &options, &loader));
        for (;;) {
            check_ok(loader_next(loader, &batch));
            if (batch.count == 0)
                break;
            assert_int_equal(batch.count, next < 12 ? 4 : 1);
            for (int i = 0; i < batch.count; i++) {
                assert_int_equal(batch.indices[i], next);
                assert_int_equal(batch.labels[i], pictures_label(val, next++));
            }
            for (int i = batch.count; i < BATCH; i++) {
                assert_int_equal(batch.labels[i], -1);
                for (int k = 0; k < PICTURE; k++)
                    assert_true(batch.images[i * PICTURE + k] == 0);
            }
        }
        assert_int_equal(next, VAL);
        check_ok(loader_next(loader, &batch));
        assert_int_equal(batch.count, 0);
        assert_int_equal(loader_statistics(loader).pictures, VAL);
        loader_destroy(loader);
    }
}

static void loaders_can_be_given_up_at_any_time(void **state)
{
    (void)state;
    for (int batches = 0; batches < 14; batches++)
        for (int threads = 0; threads < 4; threads++) {
            struct loader_options options = options_for(true, threads);
            uint64_t digests[14];
            run(train, &options, batches, digests);
        }
    loader_destroy(NULL);
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    struct loader *loader;
    struct loader_options options = options_for(true, 2);
    options.batch_size = 0;
    check_error(loader_create(train, &options, &loader), TTT_ARGUMENT, "batch size 0");
    assert_null(loader);
    options = options_for(true, 257);
    check_error(loader_create(train, &options, &loader), TTT_ARGUMENT, "257 loader threads");
    options = options_for(true, 2);
    options.prefetch = 0;
    check_error(loader_create(train, &options, &loader), TTT_ARGUMENT, "prefetch 0");
    options = options_for(true, 2);
    options.batch_size = 64;
    options.drop_last = true;
    check_error(loader_create(train, &options, &loader), TTT_ARGUMENT,
                "holds 41 pictures, fewer than one batch of 64");
    options = options_for(true, 2);
    options.sample.transform.area_min = -1;
    check_error(loader_create(train, &options, &loader), TTT_ARGUMENT, "");
}

static void the_benchmark_counts_what_it_did(void **state)
{
    (void)state;
    ruin(train, 3);
    for (int threads = 0; threads < 4; threads++)
        for (int training = 0; training < 2; training++) {
            struct loader_options options = options_for(training == 1, threads);
            struct sample_rate rate;
            check_ok(sample_benchmark(train, &options.sample, threads, 2 * TRAIN, &rate));
            assert_int_equal(rate.pictures, 2 * TRAIN);
            assert_int_equal(rate.bad, 2);
            assert_true(rate.per_second > 0 && rate.per_second_per_thread > 0);
        }
    struct loader_options options = options_for(true, 0);
    struct sample_rate rate;
    check_error(sample_benchmark(train, &options.sample, -1, 1, &rate), TTT_ARGUMENT, "-1 threads");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(threads_and_prefetch_do_not_matter, make_sets, remove_sets),
        cmocka_unit_test_setup_teardown(a_loader_can_start_anywhere, make_sets, remove_sets),
        cmocka_unit_test_setup_teardown(an_epoch_is_a_permutation, make_sets, remove_sets),
        cmocka_unit_test_setup_teardown(seeds_matter_and_short_batches_can_be_dropped, make_sets,
                                        remove_sets),
        cmocka_unit_test_setup_teardown(evaluation_takes_every_picture_in_order, make_sets, remove_sets),
        cmocka_unit_test_setup_teardown(loaders_can_be_given_up_at_any_time, make_sets, remove_sets),
        cmocka_unit_test_setup_teardown(options_out_of_range_are_refused, make_sets, remove_sets),
        cmocka_unit_test_setup_teardown(the_benchmark_counts_what_it_did, make_sets, remove_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
