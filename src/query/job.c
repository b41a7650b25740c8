/* SPDX-License-Identifier: Apache-2.0 */
/* One request of a stage: crops become rows on the thread pool, answers become results. */
#include "query/internal.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "query/outcome.h"

#include <stdlib.h>
#include <string.h>

static struct stage *stage_of(const struct job *j)
{
	return &j->run->query->stage[j->stage];
}

static uint64_t deadline_of(const struct job *j)
{
	return j->run->arrival_ns + nx_ms_to_ns(stage_of(j)->budget_ms);
}

static void job_end(struct job *j)
{
	run_job_done(j);
	nx_buf_release(&j->body);
	free(j->crop);
	free(j);
}

/* All items of the job share one fate. */
static void settle(struct job *j, struct nx_verdict v)
{
	uint64_t now = nx_now_ns();
	struct stage *s = stage_of(j);

	for (size_t i = 0; i < j->n; i++) {
		struct item *it = &j->run->item[j->first + i];
		it->outcome = nx_outcome_name(v.outcome);
		it->reason = v.reason ? nx_reason_name(v.reason) : NULL;
		it->latency_ms = nx_ns_to_ms(now - j->run->arrival_ns);
		nx_session_stats_count(s->stats, v.outcome, v.reason, now - j->run->arrival_ns);
	}
	j->run->last_ns = now;
}

/* ---- rows, on a thread of the pool ----------------------------------------------------------- */

static int fill_rows(struct job *j, uint8_t *rows)
{
	const struct stage *s = stage_of(j);

	for (size_t i = 0; i < j->n; i++) {
		struct crop *c = &j->crop[i];
		int rc = nx_vision_preprocess(&j->run->frame, c->has_box ? c->box : NULL,
			&s->model->manifest->input, &s->row_shape, s->dtype,
			rows + i * s->row_bytes, &c->place, &j->err);
		if (rc)
			return rc;
	}
	return 0;
}

static void prepare(uv_work_t *work)
{
	struct job *j = work->data;
	const struct stage *s = stage_of(j);
	const struct nx_graph *g = s->model->graph;
	uint8_t *rows = nx_try_alloc(j->n, s->row_bytes);

	if (!rows) {
		nx_err_set(&j->err, NX_EOS, "no memory for %zu rows", j->n);
		return;
	}
	if (fill_rows(j, rows) == 0) {
		struct nx_oip_request req = { .n_inputs = 1, .deadline_ms = -1 };
		struct nx_oip_tensor *t = &req.input[0];
		t->name = g->values[g->in[0]].name;
		t->dtype = s->dtype;
		t->shape = s->row_shape;
		t->shape.dim[0] = (int64_t)j->n;
		t->data = rows;
		t->bytes = j->n * s->row_bytes;
		nx_oip_format_request(&req, &j->body, &j->json_len);
	}
	free(rows);
}

/* ---- answers --------------------------------------------------------------------------------- */

/* Row i of the answer's tensors; false when one has no such row. */
static bool row_of(
	const struct nx_oip_response *resp, size_t rows, size_t i, struct nx_vision_output *out)
{
	for (size_t k = 0; k < resp->n_outputs; k++) {
		const struct nx_oip_tensor *t = &resp->output[k];
		if (t->shape.rank < 1 || t->shape.dim[0] <= 0 || (size_t)t->shape.dim[0] != rows)
			return false;
		out[k].name = t->name;
		out[k].dtype = t->dtype;
		out[k].shape.rank = t->shape.rank - 1;
		memcpy(out[k].shape.dim, t->shape.dim + 1,
			sizeof t->shape.dim[0] * (size_t)(t->shape.rank - 1));
		out[k].data = (const uint8_t *)t->data + i * (t->bytes / rows);
	}
	return true;
}

/* All rows of the answer or none: a stage below must not work on half of a bad one. */
static int read_answer(struct job *j, const struct nx_http_answer *a, struct nx_err *err)
{
	const struct run *r = j->run;
	struct nx_vision_output out[NX_OIP_MAX_TENSORS];
	struct nx_oip_response resp = { 0 };

	int rc = nx_oip_parse_response(a->body, a->body_len, a->json_len, &resp, err);
	for (size_t i = 0; rc == 0 && i < j->n; i++) {
		struct item *it = &r->item[j->first + i];
		memset(out, 0, sizeof out);
		if (!row_of(&resp, j->n, i, out)) {
			rc = nx_err_set(err, NX_EDATA, "the answer has not one row a request");
			break;
		}
		rc = nx_vision_postprocess(stage_of(j)->model->manifest, out, resp.n_outputs,
			&j->crop[i].place, r->frame.width, r->frame.height, &it->result, err);
	}
	for (size_t i = 0; i < j->n; i++)
		r->item[j->first + i].answered = rc == 0;
	nx_oip_response_release(&resp);
	return rc;
}

static void on_answer(void *arg, const struct nx_http_answer *a, const struct nx_err *err)
{
	struct job *j = arg;
	struct nx_verdict v = nx_verdict_of(a, err, deadline_of(j), nx_now_ns());

	/* An answer that cannot be read is worth a warning, and so is one that says that we asked
	 * the wrong way; a carrier that cannot reach a backend says so itself, once. */
	if ((v.outcome == NX_IN_SLO || v.outcome == NX_LATE) && read_answer(j, a, &j->err))
		v = (struct nx_verdict){ NX_FAILED, NX_REASON_BACKEND };
	else if (a && v.outcome == NX_FAILED && v.reason != NX_REASON_BACKEND)
		nx_refusal_text(a, &j->err);
	settle(j, v);
	job_end(j);
}

static void prepared(uv_work_t *work, int status)
{
	struct job *j = work->data;
	const struct stage *s = stage_of(j);

	if (status || j->err.code) {
		settle(j, (struct nx_verdict){ NX_FAILED, NX_REASON_BAD_REQUEST });
		job_end(j);
		return;
	}
	if (nx_now_ns() >= deadline_of(j)) {
		settle(j, (struct nx_verdict){ NX_DROPPED, NX_REASON_DEADLINE });
		job_end(j);
		return;
	}
	struct nx_infer infer = { .session = s->plan->session,
		.model = s->plan->model,
		.body = j->body,
		.json_len = j->json_len,
		.deadline_ns = deadline_of(j),
		.done = on_answer,
		.done_arg = j };
	j->body = (struct nx_buf)NX_BUF_INIT;
	j->run->query->infer(j->run->query->carrier, &infer);
}

static void job_start(struct run *r, size_t first, size_t n)
{
	struct job *j = nx_alloc(1, sizeof *j);

	j->run = r;
	j->stage = r->item[first].stage;
	j->first = first;
	j->n = n;
	j->crop = nx_alloc(n, sizeof *j->crop);
	for (size_t i = 0; i < n; i++) {
		j->crop[i].has_box = r->item[first + i].has_box;
		memcpy(j->crop[i].box, r->item[first + i].box, sizeof j->crop[i].box);
	}
	j->work.data = j;
	r->pending++;
	uv_queue_work(r->query->loop, &j->work, prepare, prepared);
}

void jobs_start(struct run *r, size_t first, size_t n)
{
	while (n) {
		size_t most = (size_t)r->query->stage[r->item[first].stage].batch;
		size_t rows = n < most ? n : most;
		job_start(r, first, rows);
		first += rows;
		n -= rows;
	}
}
