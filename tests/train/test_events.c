/* log.csv and events.jsonl: typed lines, cut back on resume, whole after a kill or on a full disk. */
#include "tests/support/check.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "tests/support/temporary.h"
#include "train/events.h"
#include "train/metric_log.h"

static char *folder, *path;

static int set_up(void **state)
{
    (void)state;
    folder = temporary_folder();
    path = temporary_path(folder, "log");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(path);
    temporary_remove(folder);
    return 0;
}

static void assert_file(const char *wanted)
{
    size_t size;
    uint8_t *bytes = temporary_read(path, &size);
    if (size != strlen(wanted) || memcmp(bytes, wanted, size) != 0)
        fail_msg("the file is '%.*s', wanted '%s'", (int)size, (const char *)bytes, wanted);
    free(bytes);
}

static const char *const names[] = {"step", "loss", "top1"};

static void write_rows(int64_t resumed, int64_t from, int64_t to)
{
    metric_log log;
    check_ok(metric_log_open(path, names, 3, resumed, &log));
    for (int64_t step = from; step <= to; step += 10)
        check_ok(metric_log_write(&log, step, (const double[]){(double)step / 7, step % 20 ? NAN : 1}));
    metric_log_close(&log);
}

static void rows_and_resume(void **state)
{
    (void)state;
    write_rows(-1, 10, 40);
    assert_file("step,loss,top1\n10,1.42857143,\n20,2.85714286,1\n30,4.28571429,\n40,5.71428571,1\n");
    write_rows(25, 30, 30);
    assert_file("step,loss,top1\n10,1.42857143,\n20,2.85714286,1\n30,4.28571429,\n");
    write_rows(20, 1000, 0);
    assert_file("step,loss,top1\n10,1.42857143,\n20,2.85714286,1\n");
    write_rows(-1, 1000, 0);
    assert_file("step,loss,top1\n");
}

static void a_step_stands_once(void **state)
{
    (void)state;
    metric_log log;
    write_rows(-1, 10, 20);
    check_ok(metric_log_open(path, names, 3, 20, &log));
    check_ok(metric_log_write(&log, 20, (const double[]){7, 8}));
    check_ok(metric_log_write(&log, 30, (const double[]){1, 2}));
    check_ok(metric_log_write(&log, 30, (const double[]){0.5, INFINITY}));
    check_error(metric_log_write(&log, 29, (const double[]){0, 0}), TTT_ARGUMENT, "row of step 29 after");
    metric_log_close(&log);
    assert_file("step,loss,top1\n10,1.42857143,\n20,7,8\n30,0.5,inf\n");
}

static void damaged_logs(void **state)
{
    (void)state;
    metric_log log;
    const char half[] = "step,loss,top1\n10,1,2\n20,1";
    temporary_file(folder, "log", half, strlen(half));
    write_rows(100, 1000, 0);
    assert_file("step,loss,top1\n10,1,2\n");
    const char half_header[] = "step,lo";
    temporary_file(folder, "log", half_header, strlen(half_header));
    write_rows(100, 1000, 0);
    assert_file("step,loss,top1\n");
    const char other[] = "step,psnr\n10,20\n";
    temporary_file(folder, "log", other, strlen(other));
    check_error(metric_log_open(path, names, 3, 10, &log), TTT_FORMAT, "its columns are 'step,psnr'");
    assert_file(other);
    const char twice[] = "step,loss,top1\n10,1,2\n10,1,2\n";
    temporary_file(folder, "log", twice, strlen(twice));
    check_error(metric_log_open(path, names, 3, 10, &log), TTT_FORMAT, "rising step: '10,1,2'");
    check_error(metric_log_open("/nowhere/log.csv", names, 3, 10, &log), TTT_IO,
                "/nowhere/log.csv: cannot open");
}

static json_t *read_event(int line)
{
    size_t size;
    char *bytes = (char *)temporary_read(path, &size), *at = bytes;
    for (int i = 0; i < line; i++)
        at = (char *)memchr(at, '\n', (size_t)(bytes + size - at)) + 1;
    const char *end = memchr(at, '\n', (size_t)(bytes + size - at));
    assert_non_null(end);
    json_t *event = json_loadb(at, (size_t)(end - at), 0, NULL);
    assert_non_null(event);
    free(bytes);
    return event;
}

static void typed_events(void **state)
{
    (void)state;
    event_log log;
    check_ok(event_log_open(path, &log));
    const event_field fields[] = {
        event_integer("step", INT64_MAX),
        event_real("loss", 0.1),
        event_real("norm", NAN),
        event_real("rate", -INFINITY),
        event_truth("best", true),
        event_text("note", "a \"b\"\n\xc3\xa9"),
        event_text("path", "raw \xff byte"),
    };
    check_ok(event_log_write(&log, EVENT_START, NULL, 0));
    check_ok(event_log_write(&log, EVENT_BAD_STEP, fields, 7));
    event_log_close(&log);
    json_t *start = read_event(0), *bad = read_event(1);
    assert_string_equal(json_string_value(json_object_get(start, "event")), "start");
    assert_true(json_real_value(json_object_get(start, "time")) > 1.6e9);
    assert_string_equal(json_string_value(json_object_get(bad, "event")), "bad_step");
    assert_true(json_integer_value(json_object_get(bad, "step")) == INT64_MAX);
    assert_true(json_real_value(json_object_get(bad, "loss")) == 0.1);
    assert_string_equal(json_string_value(json_object_get(bad, "norm")), "nan");
    assert_string_equal(json_string_value(json_object_get(bad, "rate")), "-inf");
    assert_true(json_is_true(json_object_get(bad, "best")));
    assert_string_equal(json_string_value(json_object_get(bad, "note")), "a \"b\"\n\xc3\xa9");
    assert_string_equal(json_string_value(json_object_get(bad, "path")), "raw ? byte");
    json_decref(bad);
    json_decref(start);
}

static void half_a_line_is_cut(void **state)
{
    (void)state;
    event_log log;
    char long_tail[10000];
    memset(long_tail, 'x', sizeof long_tail);
    memcpy(long_tail, "{\"a\":1}\n", 8);
    temporary_file(folder, "log", long_tail, sizeof long_tail);
    check_ok(event_log_open(path, &log));
    assert_file("{\"a\":1}\n");
    event_log_close(&log);
    temporary_file(folder, "log", long_tail + 8, 5000);
    check_ok(event_log_open(path, &log));
    assert_file("");
    event_log_close(&log);
}

static void a_killed_writer_leaves_whole_lines(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        pid_t child = fork();
        if (child == 0) {
            event_log log;
            if (event_log_open(path, &log))
                _exit(1);
            for (int64_t i = 0;; i++) {
                const event_field field = event_integer("step", i);
                if (event_log_write(&log, EVENT_STEP, &field, 1))
                    _exit(1);
            }
        }
        assert_true(child > 0);
        usleep(20000);
        kill(child, SIGKILL);
        int result;
        waitpid(child, &result, 0);
        assert_true(WIFSIGNALED(result));
        event_log log;
        check_ok(event_log_open(path, &log));
        event_log_close(&log);
        size_t size;
        char *bytes = (char *)temporary_read(path, &size);
        for (char *at = bytes; at < bytes + size;) {
            char *end = memchr(at, '\n', (size_t)(bytes + size - at));
            assert_non_null(end);
            json_t *event = json_loadb(at, (size_t)(end - at), 0, NULL);
            assert_non_null(event);
            json_decref(event);
            at = end + 1;
        }
        assert_true(size > 0);
        free(bytes);
    }
}

static void a_full_disk_leaves_whole_lines(void **state)
{
    (void)state;
    event_log log;
    struct rlimit old, small;
    check_ok(event_log_open(path, &log));
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 1000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    ttt_status status = TTT_OK;
    for (int i = 0; i < 100 && !status; i++)
        status = event_log_write(&log, EVENT_STEP, NULL, 0);
    setrlimit(RLIMIT_FSIZE, &old);
    check_error(status, TTT_IO, "cannot write");
    event_log_close(&log);
    size_t size;
    uint8_t *bytes = temporary_read(path, &size);
    assert_true(size > 900 && size <= 1000 && bytes[size - 1] == '\n');
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_and_resume, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_step_stands_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_logs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(typed_events, set_up, tear_down),
        cmocka_unit_test_setup_teardown(half_a_line_is_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_killed_writer_leaves_whole_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_leaves_whole_lines, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
