/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers to text and back, always with a decimal point: strtod and snprintf follow LC_NUMERIC,
 * so both run under the C locale.  glibc keeps that locale in static memory: naming it is cheap.
 */
#include "json/internal.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHOLE_MAX 9007199254740992.0 /* 2^53: every whole number up to here is a double */

/* Most numbers have few digits: an exact mantissa times or over an exact power of ten is rounded
 * once, so correctly (Clinger 1990).  Returns false if this one needs more. */
static bool parse_short(const char *text, size_t len, double *out)
{
	static const double pow10[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10,
		1e11, 1e12, 1e13, 1e14, 1e15 };
	bool minus = len && text[0] == '-';
	int64_t digits = 0;
	size_t n = 0, point = len;

	for (size_t i = minus; i < len; i++) {
		if (text[i] == '.') {
			point = i;
		} else if (text[i] >= '0' && text[i] <= '9' && n < 15) {
			digits = digits * 10 + (text[i] - '0');
			n++;
		} else {
			return false;
		}
	}
	double v = (double)digits;
	if (point < len)
		v /= pow10[len - point - 1];
	*out = minus ? -v : v;
	return true;
}

double nx_json_parse_number(const char *text, size_t len)
{
	char copy[NX_JSON_NUMBER_MAX + 1];
	double v;

	if (parse_short(text, len, &v))
		return v;
	if (len > NX_JSON_NUMBER_MAX)
		return NAN;
	memcpy(copy, text, len);
	copy[len] = '\0';

	locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	v = strtod_l(copy, NULL, c);
	freelocale(c);
	return v;
}

/* "1e+20" -> "1e20", "1e-07" -> "1e-7": JSON needs neither sign nor leading zeros. */
static void tidy_exponent(char *s)
{
	char *e = strchr(s, 'e');

	if (!e)
		return;
	char *to = e + 1;
	const char *from = e + 1;
	if (*from == '-')
		to++;
	from++;
	while (*from == '0' && from[1])
		from++;
	memmove(to, from, strlen(from) + 1);
}

void nx_json_format_number(double v, char out[32])
{
	locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	locale_t old = uselocale(c);

	if (fabs(v) <= WHOLE_MAX && floor(v) == v) {
		snprintf(out, 32, "%.0f", v);
	} else {
		/* Any decimal of 15 digits survives a double, except where doubles get sparse. */
		int precision = fabs(v) < 2.2250738585072014e-308 ? 1 : 15;
		for (; precision <= 17; precision++) {
			snprintf(out, 32, "%.*g", precision, v);
			if (strtod(out, NULL) == v)
				break;
		}
		tidy_exponent(out);
	}
	uselocale(old);
	freelocale(c);
}
