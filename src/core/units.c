/* SPDX-License-Identifier: Apache-2.0 */
#include "core/units.h"

#include "core/alloc.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *name;
	double factor;
};

/* Splits "1.5k/s" into 1.5 and "k/s"; numbers are decimal, finite and not negative. */
static int split(const char *text, double *value, const char **suffix)
{
	char *end;

	if (!isdigit((unsigned char)*text) && *text != '.')
		return -1;
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		return -1;
	*value = strtod(text, &end);
	if (end == text || !isfinite(*value))
		return -1;
	*suffix = end;
	return 0;
}

static int parse(const char *text, const struct unit *units, size_t n, double *out)
{
	const char *suffix;
	double value;

	if (split(text, &value, &suffix))
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(suffix, units[i].name) == 0) {
			*out = value * units[i].factor;
			return 0;
		}
	}
	return -1;
}

int nx_units_parse_ms(const char *text, double *ms, struct nx_err *err)
{
	static const struct unit units[] = { { "us", 1e-3 }, { "ms", 1 }, { "s", 1e3 },
		{ "min", 6e4 }, { "h", 3.6e6 } };

	if (strcmp(text, "0") == 0) {
		*ms = 0;
		return 0;
	}
	if (parse(text, units, NX_ARRAY_LEN(units), ms))
		return nx_err_set(
			err, NX_EUSAGE, "'%s' is no duration (write 50ms, 2s, 1min)", text);
	return 0;
}

int nx_units_parse_rate(const char *text, double *per_s, struct nx_err *err)
{
	static const struct unit units[] = { { "", 1 }, { "/s", 1 }, { "fps", 1 }, { "k/s", 1e3 },
		{ "M/s", 1e6 }, { "k", 1e3 }, { "M", 1e6 }, { "/min", 1.0 / 60 },
		{ "/h", 1.0 / 3600 } };

	if (parse(text, units, NX_ARRAY_LEN(units), per_s))
		return nx_err_set(
			err, NX_EUSAGE, "'%s' is no rate (write 120, 30fps, 1.5k/s)", text);
	return 0;
}

int nx_units_parse_bytes(const char *text, uint64_t *bytes, struct nx_err *err)
{
	static const struct unit units[] = { { "", 1 }, { "B", 1 }, { "K", 1024 }, { "KiB", 1024 },
		{ "kB", 1e3 }, { "M", 1048576 }, { "MiB", 1048576 }, { "MB", 1e6 },
		{ "G", 1073741824 }, { "GiB", 1073741824 }, { "GB", 1e9 } };
	double value;

	if (parse(text, units, NX_ARRAY_LEN(units), &value) || value >= 0x1p63)
		return nx_err_set(
			err, NX_EUSAGE, "'%s' is no size (write 4096, 64MiB, 1.5G)", text);
	*bytes = (uint64_t)value;
	return 0;
}

int nx_parse_double(const char *text, double *out)
{
	char *end;

	if (!*text || isspace((unsigned char)*text))
		return -1;
	*out = strtod(text, &end);
	return *end || !isfinite(*out) ? -1 : 0;
}
