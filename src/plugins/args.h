/* SPDX-License-Identifier: Apache-2.0 */
/* What follows the colon of a device spec: "key=value,key=value". */
#ifndef NX_PLUGINS_ARGS_H
#define NX_PLUGINS_ARGS_H

#include "core/err.h"

#include <stdio.h>
#include <string.h>

#define NX_ARG_SIZE 128

/* Takes the next pair off *args into key and value (NX_ARG_SIZE bytes each).  Returns 1 for a
 * pair, 0 at the end, NX_EUSAGE for what is no pair; 'device' names the plugin in messages. */
static inline int nx_arg_next(
	const char **args, const char *device, char *key, char *value, struct nx_err *err)
{
	const char *s = *args;
	size_t len = strcspn(s, ",");
	const char *eq = memchr(s, '=', len);

	if (*s == '\0')
		return 0;
	if (!eq || eq == s || len >= NX_ARG_SIZE)
		return nx_err_set(err, NX_EUSAGE, "device '%s': '%.*s' is not KEY=VALUE", device,
			len < NX_ARG_SIZE ? (int)len : NX_ARG_SIZE, s);
	snprintf(key, NX_ARG_SIZE, "%.*s", (int)(eq - s), s);
	snprintf(value, NX_ARG_SIZE, "%.*s", (int)(len - (size_t)(eq - s) - 1), eq + 1);
	*args = s + len + (s[len] == ',');
	return 1;
}

#endif
