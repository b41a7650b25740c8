/* SPDX-License-Identifier: Apache-2.0 */
/* What nexus-profile does: models in, profiles out; or shared trunks, or verdicts on tests. */
#ifndef NX_NEXUS_PROFILE_RUN_H
#define NX_NEXUS_PROFILE_RUN_H

#include "cli/cli.h"
#include "core/err.h"

struct nx_profile_config {
	const char *device, *batches, *precision, *output, *filter, *calibrate;
	int64_t threads, seed, samples, prefix_points;
	double rel_error, time_cap_ms, tune_cap_ms;
	int tune; /* enum nx_tune_mode */
	int format;
	bool list_devices, verify, prefixes, table, force;
};

int nx_profile_run(const struct nx_profile_config *config, const struct nx_common *common,
	const struct nx_operands *models, struct nx_err *err);

/* Runs the test folders 'dirs': 0 if none failed, 1 if one did. */
int nx_profile_verify(const struct nx_profile_config *config, const struct nx_common *common,
	const struct nx_operands *dirs, struct nx_err *err);

/* Prints the trunks that the models share. */
int nx_profile_prefixes(const struct nx_profile_config *config, const struct nx_common *common,
	const struct nx_operands *models, struct nx_err *err);

/* Prints the devices of all plugins on standard output. */
int nx_profile_list(struct nx_err *err);

/* Quantises one model with the samples of config->calibrate into config->output, and prints what
 * that did to its answers. */
int nx_profile_calibrate(const struct nx_profile_config *config, const struct nx_common *common,
	const struct nx_operands *models, struct nx_err *err);

/* The device's spec with --threads in it; a new string. */
char *nx_profile_device_spec(const struct nx_profile_config *config);
/* Measuring takes minutes: what would be refused at the end is refused at the start. */
int nx_profile_check_output(const struct nx_profile_config *config, struct nx_err *err);

#endif
