/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/split.h"

#include "core/alloc.h"
#include "core/clock.h"

#include <stdlib.h>

int nx_split_init(struct nx_split *b, struct nx_engine *engine, const char *digest,
	const struct nx_model *const *models, size_t n, const struct nx_load_opts *opts,
	struct nx_err *err)
{
	struct nx_group_member *member = nx_alloc(n, sizeof *member);
	const struct nx_group_opts gopts = { .trunk = *opts };
	const struct nx_io *in, *out;

	*b = (struct nx_split){ .n = n, .rows = nx_alloc(n, sizeof *b->rows) };
	for (size_t i = 0; i < n; i++)
		member[i] = (struct nx_group_member){ models[i], opts->max_batch, NULL, 0 };
	int rc = nx_engine_load_group(engine, digest, member, n, &gopts, &b->group, err);
	free(member);
	for (size_t i = 0; i < n && rc == 0; i++) {
		size_t n_in = nx_group_inputs(b->group, &in);
		size_t n_out = nx_group_outputs(b->group, i, &out);
		rc = nx_feed_init(
			&b->rows[i], in, n_in, out, n_out, (size_t)opts->max_batch, 1, err);
	}
	return rc;
}

void nx_split_release(struct nx_split *b)
{
	for (size_t i = 0; i < b->n; i++)
		nx_feed_release(&b->rows[i]);
	free(b->rows);
	nx_samples_release(&b->trunk);
	nx_samples_release(&b->suffix);
	nx_group_free(&b->group);
}

int nx_split_sample(struct nx_split *b, size_t member, size_t batch, double budget_ms,
	double rel_error, struct nx_err *err)
{
	size_t *rows = nx_alloc(b->n, sizeof *rows);
	void *const **out = nx_alloc(b->n, sizeof *out);
	uint64_t start = nx_now_ns();
	double spent = 0;
	bool settled = false;
	int rc = 0;

	rows[member] = batch;
	out[member] = b->rows[member].out;
	nx_samples_clear(&b->trunk);
	nx_samples_clear(&b->suffix);
	for (size_t i = 0;
		rc == 0 && (i == 0 || b->trunk.n == 0 || (spent < budget_ms && !settled)); i++) {
		rc = nx_group_run(b->group, rows, (const void *const *)b->rows[member].in, out,
			NULL, NULL, err);
		spent = nx_ns_to_ms(nx_now_ns() - start);
		if (rc || (i == 0 && spent < budget_ms))
			continue;
		nx_samples_add(&b->trunk, nx_group_trunk_ms(b->group));
		nx_samples_add(&b->suffix, nx_group_suffix_ms(b->group, member));
		settled = b->trunk.n >= NX_SPLIT_SAMPLES &&
			  nx_samples_rel_error(&b->trunk) <= rel_error &&
			  nx_samples_rel_error(&b->suffix) <= rel_error;
	}
	free(rows);
	free(out);
	return rc;
}
