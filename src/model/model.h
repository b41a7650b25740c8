/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model as users hand it in: an ONNX file, or a bundle (tar.zst, tar.gz, zip: model.onnx,
 * manifest.json, labels), read with libarchive in memory and never unpacked to disk.
 */
#ifndef NX_MODEL_MODEL_H
#define NX_MODEL_MODEL_H

#include "core/buf.h"
#include "core/digest.h"
#include "formats/manifest.h"
#include "model/graph.h"

struct nx_model {
	char *name;                   /* the manifest's, else the file's without its suffix */
	char *path;                   /* where it was read from */
	char digest[NX_DIGEST_SIZE];  /* of the ONNX bytes */
	struct nx_graph *graph;       /* open in its batch */
	struct nx_manifest *manifest; /* never NULL: a bare ONNX file has one with kind tensor */
};

/* Loads 'path'.  NX_ENOINPUT if missing, NX_EDATA if damaged or hostile (names that leave the
 * bundle, sizes over the caps), NX_EUNSUPP with all unsupported operators named. */
int nx_model_load(const char *path, struct nx_model **out, struct nx_err *err);

/* The same from memory; 'source' names it in messages ("x.onnx" or "x.tar.gz" decides nothing:
 * the bytes do). For fuzzing and tests. */
int nx_model_load_bytes(const void *data, size_t len, const char *source, struct nx_model **out,
	struct nx_err *err);

/* The graph alone of an ONNX file, for inputs of any shape (nx_graph_close).  Errors as above. */
int nx_graph_load(const char *path, struct nx_graph **out, struct nx_err *err);

/* A tensor in a file of its own (ONNX's TensorProto, as in its backend tests); the caller
 * releases it.  NX_ENOINPUT, NX_EDATA, NX_EUNSUPP for types that are no numbers. */
int nx_tensor_load(const char *path, struct nx_tensor *out, struct nx_err *err);
/* The same from memory. */
int nx_tensor_load_bytes(const void *data, size_t len, struct nx_tensor *out, struct nx_err *err);

/* What nx_model_repack() makes of 'as' fits what 'path' is: a bundle's name for a bundle, a name
 * in .onnx for a network alone.  NX_EUSAGE, NX_ENOINPUT. */
int nx_model_check_repack(const char *path, const char *as, struct nx_err *err);

/* The file 'path' again, to be written as 'as', with the bytes 'onnx' for its network: a bundle
 * keeps its other files.  Appended to *out. */
int nx_model_repack(const char *path, const char *as, const void *onnx, size_t len,
	struct nx_buf *out, struct nx_err *err);

/* The folders that every tool finds models in: 'given' (--models), else $NEXUS_MODELS, else the
 * folder of the plan file.  A new string; NULL when there is none of them ('plan' may be NULL). */
char *nx_model_dirs(const char *given, const char *plan);

/* Finds model 'name' in the folders of 'dirs' ("DIR[:DIR]") as NAME.onnx, NAME.tar.zst,
 * NAME.tar.gz or NAME.zip; a new string in *path, or NX_ENOTFOUND naming the folders. */
int nx_model_find(const char *name, const char *dirs, char **path, struct nx_err *err);

/* For a model that is loaded on its device, or was read for its description alone: of the graph
 * only the inputs and outputs stay, and the memory of the weights goes back to the system. */
void nx_model_drop_weights(struct nx_model *m);

void nx_model_free(struct nx_model **m);

/* Rows-per-request view of input/output i: the shape with a leading -1 for the batch. */
void nx_model_row_shape(const struct nx_model *m, bool output, size_t i, struct nx_shape *shape);

#endif
