/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checking a device against stored answers: folders in the layout of ONNX's backend tests,
 * model.onnx beside test_data_set_N/input_K.pb and output_K.pb.
 */
#ifndef NX_PROFILE_VERIFY_H
#define NX_PROFILE_VERIFY_H

#include "engine/engine.h"
#include "json/json.h"

enum nx_verdict { NX_VERIFY_PASS, NX_VERIFY_FAIL, NX_VERIFY_UNSUPPORTED };

struct nx_verify {
	char *test; /* the folder's name */
	enum nx_verdict verdict;
	bool compared; /* some output was; else the two numbers mean nothing */
	/* The largest difference, and the largest over the size of what was expected (where that
	 * is not 0), of all outputs of all data sets. */
	double max_abs, max_rel;
	char *reason; /* NULL if it passed */
};

/* The test folders that 'dir' names: itself, or the folders in it, in order.  The caller frees
 * the strings and the array.  NX_ENOINPUT if there is none. */
int nx_verify_find(const char *dir, char ***folders, size_t *n, struct nx_err *err);

/*
 * Runs all data sets of a folder on 'engine' and compares as ONNX's own runner does: types and
 * shapes must be the same, integers too, and floats within 1e-3 of the expected value's size
 * plus 1e-7 (half precision 1e-2 and 1e-3); NaN equals NaN.  Whatever goes wrong is the verdict
 * and its reason.  Released by nx_verify_release().
 */
void nx_verify_folder(
	struct nx_engine *engine, const char *folder, const char *precision, struct nx_verify *out);
void nx_verify_release(struct nx_verify *v);

/* {"test", "status", "max_abs", "max_rel", "reason"}; null for what there is none of. */
void nx_verify_format(const struct nx_verify *v, struct nx_jw *w);

/* Compares one tensor and takes its differences up into *v. 0, or NX_ENO with the place. */
int nx_verify_compare(const struct nx_tensor *got, const struct nx_tensor *want,
	struct nx_verify *v, struct nx_err *err);

#endif
