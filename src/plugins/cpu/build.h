/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a closed graph to the steps of an executable.  A value may be held in several layouts;
 * it gets another one only when a step asks for it.
 */
#ifndef NX_PLUGINS_CPU_BUILD_H
#define NX_PLUGINS_CPU_BUILD_H

#include "plugins/cpu/exec.h"
#include "plugins/cpu/tuning.h"
#include "fuse/fuse.h"
#include "plugins/cpu/weights.h"

#define CPU_REPS_MAX 6

/* Codes of 8 bits that stand for scale * (code - zero).  A scale of 0: no codes, the elements are
 * the value (also where that is of whole numbers). */
struct cpu_codes {
	float scale;
	int32_t zero;
};

/* A value in one form.  Values of types that oneDNN is never given have only one, row-major, and
 * an empty md. */
struct cpu_rep {
	dnnl_memory_desc_t md; /* its data type may differ from the value's */
	struct cpu_codes codes;
	int buf;
};

/* Codes a value should be made in, if any: type is dnnl_data_type_undef where not. */
struct cpu_wish {
	dnnl_data_type_t type;
	struct cpu_codes codes;
};

/* A table of what each of the 256 codes becomes. */
struct cpu_table {
	uint8_t to[256];
};

/* A value that is another one seen otherwise, until somebody asks for a form of it. */
struct cpu_view {
	int of; /* the other value, or NX_NO_VALUE */
	enum {
		CPU_VIEW_SHAPE, /* the same elements in row-major order */
		CPU_VIEW_CODES, /* the same bytes, with 'codes' (or none) */
		CPU_VIEW_TABLE, /* each code looked up in 'table': then of 'type' and 'codes' */
	} kind;
	dnnl_data_type_t type;
	struct cpu_codes codes;
	struct cpu_table table;
	const struct nx_node *node; /* whose work the table is */
};

struct cpu_val {
	int n;
	struct cpu_rep rep[CPU_REPS_MAX]; /* the first is the one it was made in */
	struct cpu_view view;
	bool shown;                  /* an output of the graph, or only viewed by one */
	int uses;                    /* readers to come, graph outputs included */
	const struct nx_node *coded; /* DequantizeLinear of constants that makes it, or NULL */
	struct cpu_wish wish;
	bool wished; /* somebody has said what he wishes */
};

/* How to build. */
struct cpu_how {
	enum cpu_precision precision;
	int64_t rows; /* of the closed graph */
	int worker;
	const struct cpu_tuning *tuning; /* NULL: nothing was measured */
};

struct cpu_build {
	struct nx_plugin_exec *e;
	const struct nx_graph *g;
	dnnl_data_type_t type; /* what convolutions and products compute in */
	bool integers;         /* codes are computed with where possible */
	struct nx_fusion fusion;
	struct cpu_val *val;
	const struct cpu_how *how;
};

/* The plugin's own passes, beside those of the fusion. */
enum cpu_pass {
	CPU_LAYOUT = NX_FUSE_FREE << 0,  /* a value stays in the layout it was made in */
	CPU_VIEW = NX_FUSE_FREE << 1,    /* reshapes and transposes that only read otherwise */
	CPU_INPLACE = NX_FUSE_FREE << 2, /* sums written over one of their operands */
};

/* Whether a pass is on. */
bool cpu_pass(const struct cpu_build *b, unsigned bit);

#define CPU_NOT_MINE 1 /* an emitter's answer: the reference kernel must do it */

/* Makes an executable of a closed graph, which must outlive it. */
int cpu_exec_new(struct nx_plugin_device *dev, const struct nx_graph *g, const struct cpu_how *how,
	struct nx_plugin_exec **out, struct nx_err *err);

const struct nx_shape *cpu_shape(const struct cpu_build *b, int value);
size_t cpu_value_bytes(const struct cpu_build *b, int value); /* row-major, in its own type */
/* The value's own element type, or dnnl_data_type_undef. */
dnnl_data_type_t cpu_type(const struct cpu_build *b, int value);

/* The type a step should make a value in: what is computed in, but fp32 for graph outputs. */
dnnl_data_type_t cpu_made_as(const struct cpu_build *b, int value);

/* The form a value was made in. */
int cpu_rep_home(struct cpu_build *b, int value, struct cpu_rep *rep, struct nx_err *err);
/* The same layout, but no codes: fp32 or bf16. */
int cpu_rep_real(struct cpu_build *b, int value, struct cpu_rep *rep, struct nx_err *err);
/* The value row-major in its own type. */
int cpu_rep_plain(struct cpu_build *b, int value, struct cpu_rep *rep, struct nx_err *err);
/* The value as 'md' says, no codes. */
int cpu_rep_as(struct cpu_build *b, int value, const dnnl_memory_desc_t *md, struct cpu_rep *rep,
	struct nx_err *err);
/* The value in the layout, type and codes of 'form', whose buffer says nothing. */
int cpu_rep_get(struct cpu_build *b, int value, const struct cpu_rep *form, struct cpu_rep *rep,
	struct nx_err *err);
/* A buffer with the value in that form that the next step may overwrite. */
int cpu_rep_own(
	struct cpu_build *b, int value, const struct cpu_rep *form, int *buf, struct nx_err *err);
bool cpu_rep_same(const struct cpu_rep *a, const struct cpu_rep *b);

/* A new buffer in the layout of 'like' for the codes that are wished of 'value'. */
struct cpu_rep cpu_rep_wished(struct cpu_build *b, int value, const dnnl_memory_desc_t *like);
/* Adds readers to come of a value and of all it is a view of. */
void cpu_count_uses(struct cpu_build *b, int value, int more);
/* Makes a value that nobody has a form of a view of 'of', whose readers its readers become. */
void cpu_view_add(struct cpu_build *b, int value, const struct cpu_view *view);
/* The view a value still is, or NULL. */
const struct cpu_view *cpu_view_get(const struct cpu_build *b, int value);

/* A new buffer of the arena that holds 'md', registered as a form of 'value'. */
int cpu_rep_new(struct cpu_build *b, int value, const dnnl_memory_desc_t *md);
/* Says that 'buf' holds 'value' as 'md' (NULL: row-major in its own type). */
void cpu_rep_add(struct cpu_build *b, int value, const dnnl_memory_desc_t *md, int buf);
/* Says that rep->buf holds 'value' in that form. */
void cpu_rep_put(struct cpu_build *b, int value, const struct cpu_rep *rep);

/* Appends the step that makes 'value' as 'md' from 'from', which may be a view of another value
 * with the same dimensions and codes. */
int cpu_emit_copy(struct cpu_build *b, int value, const struct cpu_rep *from,
	const dnnl_memory_desc_t *md, struct nx_err *err);

/* Emitters: append the steps of a group or node; 0, CPU_NOT_MINE or an error. */
int cpu_emit_conv(struct cpu_build *b, const struct nx_group *group, struct nx_err *err);
int cpu_emit_gemm(struct cpu_build *b, const struct nx_group *group, struct nx_err *err);
int cpu_emit_norm(struct cpu_build *b, const struct nx_group *group, struct nx_err *err);
int cpu_emit_node(struct cpu_build *b, const struct nx_node *n, struct nx_err *err);
/* The last resort: the model's own kernel on row-major tensors. */
int cpu_emit_kernel(struct cpu_build *b, const struct nx_node *n, struct nx_err *err);

/* The key that packed weights are found by, of constants and constants kept as codes. */
void cpu_key_init(struct cpu_key *key, int tag);
void cpu_key_add(struct cpu_key *key, const struct cpu_build *b, int value);
void cpu_key_add_group(
	struct cpu_key *key, const struct cpu_build *b, const struct nx_group *group);

#endif
