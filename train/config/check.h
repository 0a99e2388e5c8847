/* What must hold between the values of several keys. */
#ifndef TRAIN_CONFIG_CHECK_H
#define TRAIN_CONFIG_CHECK_H

#include "train/config/settings.h"

/* Fails with "WHERE: KEY: ..." of the one of the keys at fault that was given last. */
ttt_status config_check(const struct run_config *config, const struct config_settings *settings);

/* `status` with the place and the name of the latest given among `paths` (ended by NULL) in front. */
ttt_status config_blame(const struct config_settings *settings, const char *const *paths, ttt_status status);

#endif
