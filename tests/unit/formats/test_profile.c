/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/profile.h"

#include "golden.h"

static int parse_one(const struct nx_jdoc *doc, struct nx_profile *p, struct nx_err *err)
{
	struct nx_profiles set = { 0 };
	int rc = nx_profile_parse(doc, &set, err);

	if (!rc) {
		*p = set.item[0];
		free(set.item);
	} else {
		ck_assert_uint_eq(set.n, 0);
	}
	return rc;
}

GOLDEN(profile, parse_one(doc, out, &err))

#define HEAD         "{\"format\": \"nexus-profile/1\", \"model\": \"m\", \"device\": \"d\", "
#define POINT(b, ms) "{\"batch\": " #b ", \"mean_ms\": " #ms "}"

static const char profile_text[] =
	"{\n"
	"  \"format\": \"nexus-profile/1\",\n"
	"  \"model\": \"resnet50\",\n"
	"  \"digest\": \"sha256:00\",\n"
	"  \"device\": \"NVIDIA H200\",\n"
	"  \"plugin\": \"cuda\",\n"
	"  \"precision\": \"fp16\",\n"
	"  \"threads\": 1,\n"
	"  \"memory\": { \"weights_bytes\": 51200000, \"activations_bytes\": 9800000 },\n"
	"  \"load_ms\": 41,\n"
	"  \"preprocess_ms\": 0.6,\n"
	"  \"postprocess_ms\": 0.05,\n"
	"  \"interpolate\": false,\n"
	"  \"latency\": [\n"
	"    { \"batch\": 1, \"mean_ms\": 0.9, \"std_ms\": 0.01, \"p99_ms\": 0.93, \"samples\": 200 },\n"
	"    { \"batch\": 8, \"mean_ms\": 1.7 }\n"
	"  ],\n"
	"  \"prefix\": [\n"
	"    { \"digest\": \"sha256:11\", \"node\": \"conv1\", \"weights_bytes\": 37632, \"latency\": [{ \"batch\": 1, \"mean_ms\": 0.03 }], \"suffix_latency\": [{ \"batch\": 1, \"mean_ms\": 0.88 }] },\n"
	"    { \"digest\": \"sha256:22\", \"weights_bytes\": 0, \"interpolate\": true, \"latency\": [{ \"batch\": 1, \"mean_ms\": 0.1 }] }\n"
	"  ]\n"
	"}\n";

START_TEST(comes_out_as_it_went_in)
{
	keep_profile(profile_text);
	keep_profile("{\"format\":\"nexus-profile/1\",\"model\":\"m\",\"device\":\"d\","
		     "\"latency\":[{\"batch\":2,\"mean_ms\":3}]}\n");
}
END_TEST

START_TEST(interpolates)
{
	struct nx_profile p;

	read_profile(HEAD "\"latency\": [" POINT(2, 10) "," POINT(4, 14) "," POINT(8, 20) "]}", &p);
	ck_assert_double_eq(nx_latency_at(&p.latency, 1), 10);
	ck_assert_double_eq(nx_latency_at(&p.latency, 2), 10);
	ck_assert_double_eq(nx_latency_at(&p.latency, 3), 12);
	ck_assert_double_eq(nx_latency_at(&p.latency, 4), 14);
	ck_assert_double_eq(nx_latency_at(&p.latency, 7), 18.5);
	ck_assert_double_eq(nx_latency_at(&p.latency, 8), 20);
	ck_assert_double_lt(nx_latency_at(&p.latency, 9), 0);
	ck_assert_int_eq(nx_latency_max_batch(&p.latency), 8);
	p.latency.interpolate = false;
	ck_assert_double_eq(nx_latency_at(&p.latency, 1), 10);
	ck_assert_double_eq(nx_latency_at(&p.latency, 3), 14);
	ck_assert_double_eq(nx_latency_at(&p.latency, 5), 20);
	ck_assert_double_lt(nx_latency_at(&p.latency, 9), 0);
	nx_profile_release(&p);

	struct nx_latency none = { 0 };
	ck_assert_double_lt(nx_latency_at(&none, 1), 0);
	ck_assert_int_eq(nx_latency_max_batch(&none), 0);
}
END_TEST

START_TEST(fills_in_defaults)
{
	struct nx_profile p;

	/* A latency that falls is only odd. */
	read_profile(HEAD "\"latency\": [" POINT(1, 10) "," POINT(2, 9) "]}", &p);
	ck_assert(p.latency.interpolate);
	ck_assert_double_lt(p.load_ms, 0);
	ck_assert_double_lt(p.latency.point[0].std_ms, 0);
	ck_assert_ptr_null(p.digest);
	ck_assert_int_eq(p.threads, 0);
	nx_profile_release(&p);
}
END_TEST

START_TEST(refuses_bad_tables)
{
	refuse_profile(HEAD "\"latency\": []}",
		"t.json:1: .latency: must have at least one point (empty profile)");
	refuse_profile("{\"format\": \"nexus-profile/1\"}",
		"t.json:1: .model: is missing\nt.json:1: .device: is missing\n"
		"t.json:1: .latency: is missing");
	refuse_profile(HEAD "\"latency\": [" POINT(1, 1) ",\n" POINT(1, 2) "," POINT(
			       0, 0) ",\n" POINT(2.5, 1) "]}",
		"t.json:2: .latency[1].batch: must be larger than the one before (got 1)\n"
		"t.json:2: .latency[2].batch: must be 1 to 1000000000 (got 0)\n"
		"t.json:2: .latency[2].mean_ms: must be > 0 (got 0)\n"
		"t.json:3: .latency[3].batch: must be a whole number (got 2.5)");
	refuse_profile(HEAD "\"latency\": [" POINT(
			       1, 1) "], \"memory\": {\"weights_bytes\": -1}, \"prefix\": [{}]}",
		"t.json:1: .memory.weights_bytes: must be 0 to 1000000000000000 (got -1)\n"
		"t.json:1: .prefix[0].digest: is missing\n"
		"t.json:1: .prefix[0].latency: is missing");
}
END_TEST

static void add(struct nx_profiles *set, const char *text)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_jdoc *doc = golden_doc(text);

	ck_assert_int_eq(nx_profile_parse(doc, set, &err), 0);
	nx_jdoc_free(&doc);
}

START_TEST(finds_the_fastest)
{
	struct nx_profiles set = { 0 };

	add(&set, HEAD "\"precision\": \"fp32\", \"threads\": 1, \"latency\": [" POINT(1, 10) "]}");
	add(&set, HEAD "\"precision\": \"fp16\", \"threads\": 1, \"latency\": [" POINT(
			  1, 9) "," POINT(4, 20) "]}");
	add(&set, HEAD "\"precision\": \"fp32\", \"threads\": 2, \"latency\": [" POINT(1, 6) "]}");
	ck_assert_ptr_eq(nx_profiles_find(&set, "m", "d", NULL, 0), &set.item[1]);
	ck_assert_ptr_eq(nx_profiles_find(&set, "m", NULL, "fp32", 0), &set.item[2]);
	ck_assert_ptr_eq(nx_profiles_find(&set, "m", "d", "fp32", 1), &set.item[0]);
	ck_assert_ptr_null(nx_profiles_find(&set, "m", "e", NULL, 0));
	ck_assert_ptr_null(nx_profiles_find(&set, "n", "d", NULL, 0));
	ck_assert_ptr_null(nx_profiles_find(&set, "m", "d", "int8", 0));
	ck_assert_ptr_null(nx_profiles_find(&set, "m", "d", NULL, 3));
	nx_profiles_release(&set);
}
END_TEST

START_TEST(survives_damage)
{
	batter_profile(profile_text);
}
END_TEST

UNIT_MAIN("formats/profile", comes_out_as_it_went_in, interpolates, fills_in_defaults,
	refuses_bad_tables, finds_the_fastest, survives_damage)
