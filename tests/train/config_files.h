/* Configs written for a test, in a folder of the test's own. */
#ifndef TESTS_TRAIN_CONFIG_FILES_H
#define TESTS_TRAIN_CONFIG_FILES_H

#include "train/config/config.h"

/* A cmocka test between these two works in a fresh folder, so that paths in error lines are short and known.
 */
int enter_config_folder(void **state);
int leave_config_folder(void **state);

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_config_folder, leave_config_folder)

void write_config_bytes(const char *path, const char *bytes, size_t size);
void write_config(const char *path, const char *text);

/* Loads a file, or a text as x.yaml; the caller frees the config. */
struct run_config load_config(const char *path);
struct run_config load_config_text(const char *text);

/* Loading failed as a user's mistake, in one line with this text (or that begins so, when `expected` ends in
 * "..."); frees the status. */
void assert_config_refused(ttt_status status, const char *expected);

/* Loading the text as x.yaml, or an override of a valid one, is refused so. */
void assert_text_refused(const char *text, const char *expected);
void assert_override_refused(const char *override, const char *expected);

/* What run_config_write writes; the caller frees it. */
char *written_config(const struct run_config *config, bool with_help);

/* What is written loads as the same config, bit by bit. */
void assert_config_round_trip(struct run_config *config, bool with_help);

#endif
