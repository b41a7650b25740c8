/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/event.h"

#include "unit.h"

#include <string.h>

static void formats(const struct nx_event *e, const char *want)
{
	struct nx_buf b = NX_BUF_INIT;

	nx_event_format(e, &b);
	ck_assert_str_eq(b.data, want);
	nx_buf_release(&b);
}

START_TEST(writes_events)
{
	static struct nx_detection d[] = { { "car", 3, 0.93, { 410, 220, 512, 300.5 } },
		{ NULL, 9, 0.5, { 0, 0, 1, 1 } } };
	static struct nx_class c[] = { { "sedan", 1, 0.81 }, { NULL, 4, 0.1 } };
	static const double box[4] = { 1, 2, 3, 4 };
	struct nx_result r = { d, 2, c, 2, true, true };
	struct nx_event e = { .source = "cam.mp4",
		.frame = 1234,
		.time_ms = 41133.3,
		.query = "traffic",
		.stage = "detect",
		.id = 7,
		.parent = -1,
		.outcome = "in_slo",
		.latency_ms = 83.1,
		.result = &r };

	formats(&e,
		"{\"format\":\"nexus-event/1\",\"source\":\"cam.mp4\",\"frame\":1234,\"time_ms\":41133.3,"
		"\"query\":\"traffic\",\"stage\":\"detect\",\"id\":7,\"parent\":null,\"outcome\":\"in_slo\","
		"\"latency_ms\":83.1,\"detections\":[{\"label\":\"car\",\"score\":0.93,\"box\":[410,220,512,300.5]},"
		"{\"index\":9,\"score\":0.5,\"box\":[0,0,1,1]}],\"classes\":[{\"label\":\"sedan\",\"score\":0.81},"
		"{\"index\":4,\"score\":0.1}]}\n");
	r = (struct nx_result){ .has_detections = true };
	e.query = e.stage = NULL;
	e.parent = 0;
	e.box = box;
	formats(&e,
		"{\"format\":\"nexus-event/1\",\"source\":\"cam.mp4\",\"frame\":1234,\"time_ms\":41133.3,"
		"\"id\":7,\"parent\":0,\"outcome\":\"in_slo\",\"latency_ms\":83.1,\"box\":[1,2,3,4],"
		"\"detections\":[]}\n");
	/* A dropped branch has its outcome and no result. */
	e.result = NULL;
	e.box = NULL;
	e.outcome = "dropped";
	e.reason = "deadline";
	formats(&e,
		"{\"format\":\"nexus-event/1\",\"source\":\"cam.mp4\",\"frame\":1234,\"time_ms\":41133.3,"
		"\"id\":7,\"parent\":0,\"outcome\":\"dropped\",\"reason\":\"deadline\",\"latency_ms\":83.1}\n");
}
END_TEST

START_TEST(reads_crops)
{
	static const char with[] = "{\"label\":\"car\",\"box\":[1,2.5,3,4]}",
			  without[] = "{\"box\":null}";
	struct nx_err err = NX_ERR_INIT;
	struct nx_crop crop;

	ck_assert_int_eq(nx_crop_parse(with, sizeof with - 1, &crop, &err), 0);
	ck_assert(crop.box_set);
	ck_assert_double_eq(crop.box[1], 2.5);
	ck_assert_str_eq(crop.label, "car");
	nx_crop_release(&crop);
	ck_assert_int_eq(nx_crop_parse(without, sizeof without - 1, &crop, &err), 0);
	ck_assert(!crop.box_set);
	ck_assert_int_eq(nx_crop_parse("{}", 2, &crop, &err), 0);
	ck_assert(!crop.box_set);
}
END_TEST

START_TEST(refuses_what_is_no_crop)
{
	static const char *const bad[] = { "", "1", "[1,2,3,4]", "\"x\"", "{\"box\":1}",
		"{\"box\":[1,2,3]}", "{\"box\":[1,2,3,\"4\"]}", "{\"box\":[3,2,1,4]}",
		"{\"box\":[1,2,1,4]}", "{\"box\":[1,2,3,4]" };
	struct nx_err err = NX_ERR_INIT;
	struct nx_crop crop;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(nx_crop_parse(bad[i], strlen(bad[i]), &crop, &err) == -NX_EDATA, "%s",
			bad[i]);
	ck_assert_int_eq(nx_crop_parse("7", 1, &crop, &err), -NX_EDATA);
	ck_assert_str_eq(err.msg, "select must give objects (got '7')");
}
END_TEST

UNIT_MAIN("formats/event", writes_events, reads_crops, refuses_what_is_no_crop)
