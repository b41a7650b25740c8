/* SPDX-License-Identifier: Apache-2.0 */
#include "core/text.h"

#include <stdint.h>
#include <string.h>

#define WORD_MAX 64

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

size_t nx_text_distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	size_t d[WORD_MAX + 1][WORD_MAX + 1];

	if (n > WORD_MAX || m > WORD_MAX)
		return WORD_MAX;
	for (size_t i = 0; i <= n; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= m; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		for (size_t j = 1; j <= m; j++) {
			size_t cost = a[i - 1] != b[j - 1];
			d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + cost);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				d[i - 2][j - 2] + 1 < d[i][j])
				d[i][j] = d[i - 2][j - 2] + 1;
		}
	}
	return d[n][m];
}

const char *nx_text_closest(const char *word, const char *const *words, size_t n)
{
	const char *best = NULL;
	size_t best_d = 3;

	for (size_t i = 0; i < n; i++) {
		size_t d = nx_text_distance(word, words[i]);
		if (d < best_d && d * 2 < strlen(word)) {
			best_d = d;
			best = words[i];
		}
	}
	return best;
}

bool nx_text_has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool nx_text_has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && strcmp(s + n - m, suffix) == 0;
}

/* Bytes that follow a lead byte, or -1; *min is the least code point of that length. */
static int utf8_follow(unsigned char c, uint32_t *point, uint32_t *min)
{
	if (c < 0x80) {
		*point = c;
		*min = 0;
		return 0;
	}
	if (c >= 0xc2 && c < 0xe0) {
		*point = c & 0x1f;
		*min = 0x80;
		return 1;
	}
	if (c >= 0xe0 && c < 0xf0) {
		*point = c & 0x0f;
		*min = 0x800;
		return 2;
	}
	if (c >= 0xf0 && c < 0xf5) {
		*point = c & 0x07;
		*min = 0x10000;
		return 3;
	}
	return -1;
}

bool nx_text_is_utf8(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint32_t point, min;
		int follow = utf8_follow((unsigned char)s[i], &point, &min);
		if (follow < 0 || (size_t)follow > len - i - 1)
			return false;
		for (; follow; follow--) {
			unsigned char c = (unsigned char)s[++i];
			if ((c & 0xc0) != 0x80)
				return false;
			point = point << 6 | (c & 0x3f);
		}
		if (point < min || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
			return false;
	}
	return true;
}
