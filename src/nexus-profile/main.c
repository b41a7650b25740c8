/* SPDX-License-Identifier: Apache-2.0 */
/* nexus-profile: models in, what they cost on a device out. */
#include "nexus-profile/run.h"

#include "core/alloc.h"
#include "profile/profile.h"

#include <stddef.h>

enum { FORMAT_JSON, FORMAT_TABLE };

static const struct nx_opt options[] = {
	NX_OPT_ROW_DEVICE(struct nx_profile_config, device),
	{ 'b', "batches", "LIST", "batch sizes to measure: 1,2,4 or 1..32 (default 1,2,4,8,16,32)",
		NX_OPT_STRING, offsetof(struct nx_profile_config, batches), 0, 0, 0 },
	{ 0, "precision", "TYPE",
		"what to compute in: fp32, bf16 or int8 (default: int8 for models with "
		"QuantizeLinear where the processor can, else fp32)",
		NX_OPT_STRING, offsetof(struct nx_profile_config, precision), 0, 0, 0 },
	{ 0, "threads", "N", "cores to use, as in --device cpu:threads=N", NX_OPT_INT,
		offsetof(struct nx_profile_config, threads), 1, 1024, 0 },
	{ 0, "rel-error", "FRACTION",
		"measure until the mean is known to this fraction with 95 % confidence "
		"(default 0.02)",
		NX_OPT_NUMBER, offsetof(struct nx_profile_config, rel_error), 1e-6, 1, 0 },
	{ 0, "time-cap", "TIME", "or until this time is up, for each batch size (default 5s)",
		NX_OPT_DURATION, offsetof(struct nx_profile_config, time_cap_ms), 0, 0, 0 },
	{ 0, "tune", "off|auto|force",
		"how convolutions are computed: as the device does by itself, as measured and kept "
		"by an earlier run or else now, or as measured now (default auto)",
		NX_OPT_ENUM, offsetof(struct nx_profile_config, tune), 0, 0, 0 },
	{ 0, "tune-cap", "TIME", "stop tuning a model after this much processor time (default 20s)",
		NX_OPT_DURATION, offsetof(struct nx_profile_config, tune_cap_ms), 0, 0, 0 },
	NX_OPT_ROW_SEED(struct nx_profile_config, seed),
	NX_OPT_ROW_OUTPUT(struct nx_profile_config, output),
	NX_OPT_ROW_FILTER(struct nx_profile_config, filter),
	NX_OPT_ROW_FORCE(struct nx_profile_config, force),
	{ 0, "list-devices", NULL, "list the devices of this machine and exit", NX_OPT_FLAG,
		offsetof(struct nx_profile_config, list_devices), 0, 0, 1 },
	{ 0, "verify", NULL,
		"run ONNX backend-test folders instead, and compare with their stored outputs",
		NX_OPT_FLAG, offsetof(struct nx_profile_config, verify), 0, 0, 1 },
	{ 0, "calibrate", "DIR",
		"quantise the model to int8 with the samples in DIR, into the file of --output",
		NX_OPT_STRING, offsetof(struct nx_profile_config, calibrate), 0, 0, 1 },
	{ 0, "samples", "N", "samples to calibrate with, spread over those in DIR (default 100)",
		NX_OPT_INT, offsetof(struct nx_profile_config, samples), 1, 100000, 0 },
	{ 0, "prefixes", NULL, "print the trunks that the models share instead", NX_OPT_FLAG,
		offsetof(struct nx_profile_config, prefixes), 0, 0, 1 },
	{ 0, "format", "json|table", "print --prefixes as JSON, or as a table for people",
		NX_OPT_ENUM, offsetof(struct nx_profile_config, format), 0, 0, 0 },
	{ 0, "prefix-points", "N",
		"places where a model can be cut that its profile tells of (default 4)", NX_OPT_INT,
		offsetof(struct nx_profile_config, prefix_points), 0, 64, 0 },
};

static const struct nx_tool tool = {
	.name = "nexus-profile",
	.synopsis = "MODEL|DIR...",
	.summary = "measure what models cost on a device",
	.description =
		"Loads each model (an ONNX file or a bundle), measures its latency for every batch "
		"size on the device, and prints one nexus-profile/1 object a model, for nexus-plan "
		"to read. With --verify it takes folders of ONNX backend tests instead, and prints "
		"one line of JSON a folder; the exit status is 1 if one failed. With --calibrate "
		"it writes the model quantised, and prints what that did to its answers. With "
		"--prefixes it prints one line of JSON for each trunk that several of the models "
		"share.",
	.opts = options,
	.n_opts = NX_ARRAY_LEN(options),
	.min_operands = 0,
	.max_operands = -1,
};

int main(int argc, char **argv)
{
	struct nx_profile_config config = {
		.device = "cpu",
		.batches = "1,2,4,8,16,32",
		.rel_error = 0.02,
		.time_cap_ms = 5000,
		.tune = NX_TUNE_AUTO,
		.tune_cap_ms = 20000,
		.seed = 1,
		.samples = 100,
		.prefix_points = 4,
	};
	struct nx_err err = NX_ERR_INIT;
	struct nx_common common;
	struct nx_operands models;

	nx_cli_parse(&tool, argc, argv, &config, &common, &models);
	config.table = config.format == FORMAT_TABLE;
	int rc = config.list_devices ? nx_profile_list(&err)
		 : config.prefixes   ? nx_profile_prefixes(&config, &common, &models, &err)
		 : config.verify     ? nx_profile_verify(&config, &common, &models, &err)
		 : config.calibrate  ? nx_profile_calibrate(&config, &common, &models, &err)
				     : nx_profile_run(&config, &common, &models, &err);
	return rc < 0 ? nx_cli_fail(&err) : nx_cli_finish(rc);
}
