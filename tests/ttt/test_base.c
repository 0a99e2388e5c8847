/* Errors, element types, random numbers, variants. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "ttt/base/dtype.h"
#include "ttt/base/random.h"
#include "ttt/fast/variant.h"

static ttt_status fails(void)
{
    return ttt_fail(TTT_IO, "cannot read '%s'", "a.txt");
}

static ttt_status passes_on(int *reached)
{
    TRY(TTT_OK);
    *reached = 1;
    TRY(fails());
    *reached = 2;
    return TTT_OK;
}

static ttt_status cleans_up(int *cleaned)
{
    ttt_status status = TTT_OK;
    TRY_TO(fails(), cleanup);
    *cleaned = -1;
cleanup:
    *cleaned += 1;
    return status;
}

static void errors_are_values(void **state)
{
    (void)state;
    int reached = 0, cleaned = 0;
    ttt_status status = passes_on(&reached);
    assert_int_equal(reached, 1);
    status = ttt_within(status, "config.yaml:%d", 3);
    assert_string_equal(ttt_status_text(status), "config.yaml:3: cannot read 'a.txt'");
    ttt_status copy = ttt_status_copy(status);
    ttt_status_free(status);
    assert_int_equal(ttt_status_code(copy), TTT_IO);
    assert_false(ttt_status_is_mistake(copy));
    check_error(copy, TTT_IO, "a.txt");
    check_error(cleans_up(&cleaned), TTT_IO, "a.txt");
    assert_int_equal(cleaned, 1);
    check_ok(ttt_within(TTT_OK, "prefix"));
    check_ok(ttt_status_copy(TTT_OK));
    ttt_status_free(TTT_OK);
}

static void mistakes_are_told_from_failures(void **state)
{
    (void)state;
    const ttt_code mistakes[] = {TTT_SHAPE, TTT_DTYPE, TTT_ARGUMENT, TTT_UNSUPPORTED, TTT_FORMAT};
    const ttt_code failures[] = {TTT_MEMORY, TTT_IO, TTT_DEVICE, TTT_NUMERIC};
    for (int i = 0; i < 5; i++) {
        ttt_status status = ttt_fail(mistakes[i], "x");
        assert_true(ttt_status_is_mistake(status));
        ttt_status_free(status);
    }
    for (int i = 0; i < 4; i++) {
        ttt_status status = ttt_fail(failures[i], "x");
        assert_false(ttt_status_is_mistake(status));
        ttt_status_free(status);
    }
}

/* Known answers of philox4x32-10, from the kat_vectors of its authors' library. */
static void philox_gives_its_known_answers(void **state)
{
    (void)state;
    const struct {
        uint32_t counter[4], key[2], words[4];
    } answers[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        const uint32_t *counter = answers[i].counter, *key = answers[i].key;
        uint32_t purpose = TTT_RANDOM_TEST * UINT32_C(0x9E3779B9);
        ttt_random random = ttt_random_start((uint64_t)(key[1] ^ purpose) << 32 | key[0], TTT_RANDOM_TEST,
                                             (uint64_t)counter[2] << 32 | counter[1], counter[3]);
        random.next = (uint64_t)counter[0] * 4;
        for (int k = 0; k < 4; k++)
            assert_int_equal(ttt_random_bits(&random), answers[i].words[k]);
    }
}

static void streams_do_not_share_numbers(void **state)
{
    (void)state;
    ttt_random streams[] = {
        ttt_random_start(1, TTT_RANDOM_TEST, 2, 3),
        ttt_random_start(0, TTT_RANDOM_TEST, 2, 3),
        ttt_random_start(1, TTT_RANDOM_TEST, 3, 3),
        ttt_random_start(1, TTT_RANDOM_TEST, 2, 4),
        ttt_random_start(1, TTT_RANDOM_SHUFFLE, 2, 3),
        ttt_random_start(1, TTT_RANDOM_TEST, 2ULL << 32, 3),
        ttt_random_start(1ULL << 32, TTT_RANDOM_TEST, 2, 3),
    };
    enum { COUNT = sizeof streams / sizeof *streams, WORDS = 64 };
    uint32_t words[COUNT][WORDS];
    for (int s = 0; s < COUNT; s++)
        for (int i = 0; i < WORDS; i++)
            words[s][i] = ttt_random_bits(&streams[s]);
    for (int s = 0; s < COUNT; s++)
        for (int r = 0; r < s; r++)
            for (int i = 0; i < WORDS; i++)
                assert_int_not_equal(words[s][i], words[r][i]);
    ttt_random again = ttt_random_start(1, TTT_RANDOM_TEST, 2, 3);
    for (int i = 0; i < WORDS; i++)
        assert_int_equal(ttt_random_bits(&again), words[0][i]);
}

static void numbers_have_their_distributions(void **state)
{
    (void)state;
    enum { COUNT = 200000, SIDES = 7 };
    ttt_random random = ttt_random_start(5, TTT_RANDOM_TEST, 0, 0);
    double sum = 0, square = 0, normal = 0, normal_square = 0;
    int sides[SIDES] = {0};
    for (int i = 0; i < COUNT; i++) {
        double u = ttt_random_uniform(&random), n = ttt_random_normal(&random);
        float f = ttt_random_uniform_f32(&random);
        assert_true(u >= 0 && u < 1 && f >= 0 && f < 1);
        sum += u;
        square += (double)f * f;
        normal += n;
        normal_square += n * n;
        uint32_t side = ttt_random_below(&random, SIDES);
        assert_true(side < SIDES);
        sides[side]++;
    }
    /* Each within five standard deviations of the mean of COUNT draws. */
    assert_true(fabs(sum / COUNT - 0.5) < 5 * sqrt(1. / 12 / COUNT));
    assert_true(fabs(square / COUNT - 1. / 3) < 5 * sqrt(4. / 45 / COUNT));
    assert_true(fabs(normal / COUNT) < 5 / sqrt(COUNT));
    assert_true(fabs(normal_square / COUNT - 1) < 5 * sqrt(2. / COUNT));
    for (int i = 0; i < SIDES; i++)
        assert_true(fabs(sides[i] - (double)COUNT / SIDES) < 5 * sqrt((double)COUNT / SIDES));
    assert_int_equal(ttt_random_below(&random, 1), 0);
}

static void permutations_hold_every_number_once(void **state)
{
    (void)state;
    enum { MOST = 300 };
    ttt_random random = ttt_random_start(6, TTT_RANDOM_TEST, 0, 0);
    int first[5] = {0};
    for (uint32_t n = 0; n <= MOST; n++) {
        uint32_t order[MOST + 1];
        bool seen[MOST + 1] = {false};
        ttt_random_permutation(&random, n, order);
        for (uint32_t i = 0; i < n; i++) {
            assert_true(order[i] < n && !seen[order[i]]);
            seen[order[i]] = true;
        }
    }
    for (int i = 0; i < 5000; i++) {
        uint32_t order[5];
        ttt_random_permutation(&random, 5, order);
        first[order[0]]++;
    }
    for (int i = 0; i < 5; i++)
        assert_true(abs(first[i] - 1000) < 150);
}

static void bf16_rounds_to_nearest_even(void **state)
{
    (void)state;
    const struct {
        uint32_t f32;
        uint16_t bf16;
    } cases[] = {
        {0x3f800000, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f808001, 0x3f81}, {0x3f818000, 0x3f82},
        {0x3f80ffff, 0x3f81}, {0x80000000, 0x8000}, {0x7f800000, 0x7f80}, {0xff800000, 0xff80},
        {0x7f7fffff, 0x7f80}, {0x00000001, 0x0000}, {0x00008001, 0x0001}, {0xbfc08000, 0xbfc0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float x;
        memcpy(&x, &cases[i].f32, sizeof x);
        assert_int_equal(ttt_bf16_from_f32(x), cases[i].bf16);
    }
    assert_true(isnan(ttt_f32_from_bf16(ttt_bf16_from_f32(NAN))));
    uint32_t low = 0x7f800001; /* a NaN whose upper half alone would be infinity */
    float x;
    memcpy(&x, &low, sizeof x);
    assert_true(isnan(ttt_f32_from_bf16(ttt_bf16_from_f32(x))));
    for (uint32_t i = 0; i < 0x10000; i++) {
        float exact = ttt_f32_from_bf16((uint16_t)i);
        if (!isnan(exact))
            assert_int_equal(ttt_bf16_from_f32(exact), i);
    }
}

static void types_have_sizes_and_names(void **state)
{
    (void)state;
    assert_int_equal(ttt_dtype_size(TTT_F32), 4);
    assert_int_equal(ttt_dtype_size(TTT_BF16), 2);
    assert_int_equal(ttt_dtype_size(TTT_F64), 8);
    assert_int_equal(ttt_dtype_size(TTT_I32), 4);
    assert_int_equal(ttt_dtype_size(TTT_U8), 1);
    assert_string_equal(ttt_dtype_name(TTT_BF16), "bf16");
}

/* The settings of the paper's tables, each switch spelt out. */
static void variants_are_those_of_the_paper(void **state)
{
    (void)state;
    const struct {
        const char *name;
        ttt_update update;
        ttt_kernel kernel;
        ttt_inner_loss loss;
        ttt_direction direction;
        ttt_query query;
        bool weight_norm, token_lr, momentum, condition_gradient;
    } table[] = {
        {"baseline", TTT_UPDATE_ALL, TTT_KERNEL_SWIGLU, TTT_LOSS_DOT, TTT_DESCENT, TTT_QUERY_Q, 1, 1, 1, 1},
        {"variant1", TTT_UPDATE_LAST, TTT_KERNEL_SWIGLU, TTT_LOSS_DOT, TTT_DESCENT, TTT_QUERY_Q, 1, 1, 1, 1},
        {"variant2", TTT_UPDATE_LAST, TTT_KERNEL_SWIGLU, TTT_LOSS_DOT, TTT_DESCENT, TTT_QUERY_Q, 0, 1, 1, 1},
        {"variant3", TTT_UPDATE_LAST, TTT_KERNEL_LINEAR, TTT_LOSS_DOT, TTT_DESCENT, TTT_QUERY_Q, 0, 1, 1, 1},
        {"variant4", TTT_UPDATE_LAST, TTT_KERNEL_LINEAR, TTT_LOSS_DOT, TTT_DESCENT, TTT_QUERY_Q, 0, 0, 1, 1},
        {"variant5", TTT_UPDATE_LAST, TTT_KERNEL_LINEAR, TTT_LOSS_DOT, TTT_DESCENT, TTT_QUERY_Q, 0, 0, 0, 1},
        {"variant6", TTT_UPDATE_LAST, TTT_KERNEL_LINEAR, TTT_LOSS_DOT, TTT_DESCENT, TTT_QUERY_Q, 0, 0, 0, 0},
        {"gradient_ascent", TTT_UPDATE_ALL, TTT_KERNEL_SWIGLU, TTT_LOSS_DOT, TTT_ASCENT, TTT_QUERY_Q, 1, 1, 1,
         1},
        {"replace_q_with_k", TTT_UPDATE_ALL, TTT_KERNEL_SWIGLU, TTT_LOSS_DOT, TTT_DESCENT, TTT_QUERY_K, 1, 1,
         1, 1},
        {"mse", TTT_UPDATE_ALL, TTT_KERNEL_SWIGLU, TTT_LOSS_MSE, TTT_DESCENT, TTT_QUERY_Q, 1, 1, 1, 1},
    };
    int count = sizeof table / sizeof *table;
    for (int i = 0; i < count; i++) {
        ttt_variant v;
        check_ok(ttt_variant_named(table[i].name, &v));
        assert_string_equal(ttt_variant_name(i), table[i].name);
        assert_true(strlen(ttt_variant_meaning(i)) > 0);
        assert_int_equal(v.update, table[i].update);
        assert_int_equal(v.kernel, table[i].kernel);
        assert_int_equal(v.loss, table[i].loss);
        assert_int_equal(v.direction, table[i].direction);
        assert_int_equal(v.query, table[i].query);
        assert_int_equal(v.weight_norm, table[i].weight_norm);
        assert_int_equal(v.token_lr, table[i].token_lr);
        assert_int_equal(v.momentum, table[i].momentum);
        assert_int_equal(v.condition_gradient, table[i].condition_gradient);
        assert_int_equal(v.inner_steps, 1);
    }
    ttt_variant v;
    assert_null(ttt_variant_name(count));
    assert_null(ttt_variant_name(-1));
    check_error(ttt_variant_named("variant7", &v), TTT_ARGUMENT, "variant7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_values),
        cmocka_unit_test(mistakes_are_told_from_failures),
        cmocka_unit_test(philox_gives_its_known_answers),
        cmocka_unit_test(streams_do_not_share_numbers),
        cmocka_unit_test(numbers_have_their_distributions),
        cmocka_unit_test(permutations_hold_every_number_once),
        cmocka_unit_test(bf16_rounds_to_nearest_even),
        cmocka_unit_test(types_have_sizes_and_names),
        cmocka_unit_test(variants_are_those_of_the_paper),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
