# SPDX-License-Identifier: Apache-2.0
# Nexus: one non-recursive GNU Makefile.
#
#   make               the five programs in bin/, everything else in build/
#   make demo          profile -> plan -> serve -> route -> bench on the shipped video
#   make check         all tests; ends with "N passed, N failed, N skipped"
#   make lint          formatting, layering, sizes, man pages, shell scripts
#   make check-gpu     the cuda plugin on a GPU; bench-gpu: against PyTorch there
#   make bench-engine  the engine against ONNX Runtime, images a second
#   make bench-plan    devices planned against bounds and the paper's algorithm, and how long it takes
#   make bench-load    how long a model takes to its first answer, and its memory
#   make check-san     the tests under AddressSanitizer + UBSan, and the threaded part under TSan
#   make install DESTDIR= PREFIX=/usr/local
#
# Variables: MODE=release|debug|asan|ubsan|tsan, V=1 (show commands), DEV=1 (-Werror).

MODE   ?= release
V      ?= 0
DEV    ?= 0
PREFIX ?= /usr/local
DESTDIR ?=
CC     ?= gcc
VERSION := 0.1.0

ifeq ($(filter $(MODE),release debug asan ubsan tsan),)
$(error MODE must be one of release, debug, asan, ubsan, tsan)
endif

.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules

Q := $(if $(filter 1,$(V)),,@)
B := build/$(MODE)

# ---- the parts: a library a folder, and what each may use (lower never includes higher) ------

MODULES := core cli json stats formats model fuse media vision profile sched dispatch engine net query serve route bench
DEPS_core     :=
DEPS_cli      := json core
DEPS_json     := core
DEPS_stats    := formats json core
DEPS_formats  := json core
DEPS_model    := formats json core
DEPS_fuse     := model formats json core
DEPS_media    := core
DEPS_vision   := model media formats json core
DEPS_engine   := model formats json core
DEPS_profile  := engine vision media model formats json core
DEPS_sched    := formats json core
DEPS_dispatch := core
DEPS_net      := model formats stats json core
DEPS_serve    := net engine dispatch vision media stats profile model formats json cli core
DEPS_query    := net vision media stats model formats json core
DEPS_route    := query net vision media stats model formats json cli core
DEPS_bench    := query net vision media stats model formats json cli core

TOOLS := profile plan serve route bench
TOOL_DEPS_profile := profile engine vision media model formats json cli core
TOOL_DEPS_plan    := sched formats json cli core
TOOL_DEPS_serve   := serve $(DEPS_serve)
TOOL_DEPS_route   := route $(DEPS_route)
TOOL_DEPS_bench   := bench $(DEPS_bench)

# ---- libraries the project stands on: pkg-config first, the plain -l name otherwise ----------

pc_cflags = $(shell pkg-config --cflags $(1) 2>/dev/null)
pc_libs   = $(shell pkg-config --libs $(1) 2>/dev/null || echo $(2))

LIBS_core  := $(call pc_libs,libcrypto,-lcrypto) -lm
LIBS_json  := -ljq -lm
LIBS_model := $(call pc_libs,libprotobuf-c,-lprotobuf-c) $(call pc_libs,libarchive,-larchive)
LIBS_net   := $(call pc_libs,libuv,-luv) $(call pc_libs,zlib,-lz)
LIBS_engine := -ldl -lpthread
LIBS_media := -ldl
LIBS_serve := -lpthread
LIBS_check := $(call pc_libs,check,-lcheck -lsubunit -lrt -lpthread)
CFLAGS_check := $(call pc_cflags,check)
LIBS_av    := $(call pc_libs,libavformat libavcodec libswscale libavutil,-lavformat -lavcodec -lswscale -lavutil)
CFLAGS_av  := $(call pc_cflags,libavformat libavcodec libswscale libavutil)
LIBS_dnnl  := -ldnnl -lpthread -lm

# ---- flags -----------------------------------------------------------------------------------

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wvla -Wmissing-prototypes \
	-Wstrict-prototypes -Wold-style-definition -Wundef -Wformat=2 -Wno-sign-conversion \
	$(if $(findstring clang,$(CC)),,-Wjump-misses-init) $(if $(filter 1,$(DEV)),-Werror)
# Programs of a source tree are in bin/ (one mode) or build/MODE/bin (any mode).
DEFS := -D_GNU_SOURCE -DNX_VERSION='"$(VERSION)"' \
	-DNX_BUILD_PLUGIN_DIR='"../build/$(MODE)/lib/nexus"'
OPT_release := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong
OPT_debug   := -O0 -g3
OPT_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -DNX_SANITIZE
OPT_ubsan   := -O1 -g -fsanitize=undefined -fno-sanitize-recover=undefined -DNX_SANITIZE
OPT_tsan    := -O1 -g -fsanitize=thread -DNX_SANITIZE
CFLAGS ?=
LDFLAGS ?=
ALL_CFLAGS  := -std=c17 -MMD -MP -fPIC $(WARN) $(DEFS) $(OPT_$(MODE)) -Isrc -I$(B)/gen $(CFLAGS)
ALL_LDFLAGS := $(OPT_$(MODE)) -Wl,-z,relro,-z,now $(LDFLAGS)

.PHONY: all
all: programs

# ---- generated and foreign sources -----------------------------------------------------------

# ONNX's message definitions are Debian's libonnx-dev; the C for them is made here.
ONNX_PROTO_DIR ?= /usr/include/onnx
ONNX_PB := $(B)/gen/onnx.pb-c
$(ONNX_PB).c $(ONNX_PB).h &: $(ONNX_PROTO_DIR)/onnx.proto
	@mkdir -p $(@D)
	@echo "  PROTO   $@"
	$(Q)protoc-c --c_out=$(B)/gen -I$(ONNX_PROTO_DIR) $<

# The HTTP/1.1 parser is llhttp, whose C sources Debian ships in node-llhttp.
LLHTTP_DIR ?= /usr/share/llhttp
LLHTTP_INC ?= /usr/share/include/llhttp
LLHTTP_OBJ := $(patsubst %,$(B)/obj/llhttp/%.o,llhttp api http)
$(B)/obj/llhttp/%.o: $(LLHTTP_DIR)/%.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) -std=c17 -O2 -fPIC -w -DLLHTTP_STRICT_MODE=1 -I$(LLHTTP_INC) -c $< -o $@

# ---- objects, archives -----------------------------------------------------------------------

# Objects depend on this stamp, which changes when compiler or flags do.
FLAGS_STAMP := $(B)/flags
FLAGS_TEXT  := $(CC) $(ALL_CFLAGS) | $(ALL_LDFLAGS)
$(shell mkdir -p $(B); printf '%s\n' '$(subst ','\'',$(FLAGS_TEXT))' | cmp -s - $(FLAGS_STAMP) || \
	printf '%s\n' '$(subst ','\'',$(FLAGS_TEXT))' > $(FLAGS_STAMP))

$(B)/obj/%.o: src/%.c $(FLAGS_STAMP)
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) $(ALL_CFLAGS) $(OBJ_CFLAGS) -c $< -o $@
$(B)/obj/gen/%.o: $(B)/gen/%.c $(FLAGS_STAMP)
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) $(ALL_CFLAGS) -w -c $< -o $@

objs = $(patsubst src/%.c,$(B)/obj/%.o,$(sort $(wildcard src/$(1)/*.c src/$(1)/*/*.c)))

define module_rules
OBJS_$(1) := $(call objs,$(1))
$(B)/lib/$(1).a: $$(OBJS_$(1)) $$(EXTRA_OBJS_$(1))
	@mkdir -p $$(@D)
	@echo "  AR      $$@"
	$$(Q)rm -f $$@ && ar rcs $$@ $$^
endef
EXTRA_OBJS_model := $(B)/obj/gen/onnx.pb-c.o
EXTRA_OBJS_net   := $(LLHTTP_OBJ)
# media/av is the loadable half of media: it alone sees libav*.
$(foreach m,$(MODULES),$(eval $(call module_rules,$(m))))
OBJS_media := $(patsubst src/%.c,$(B)/obj/%.o,$(sort $(wildcard src/media/*.c)))
$(call objs,model): $(ONNX_PB).h
$(call objs,net): OBJ_CFLAGS := -I$(LLHTTP_INC)
$(call objs,media/av): OBJ_CFLAGS := $(CFLAGS_av) -fvisibility=hidden
$(call objs,plugins): OBJ_CFLAGS := -fvisibility=hidden

archives = $(patsubst %,$(B)/lib/%.a,$(1))
libs     = $(foreach m,$(1),$(LIBS_$(m)))

# ---- plugins: shared objects that see nothing of the host but plugins/plugin.h -----------------

PLUGIN_DIR := $(B)/lib/nexus
PLUGINS := $(PLUGIN_DIR)/cpu.so $(PLUGIN_DIR)/sim.so $(PLUGIN_DIR)/media.so
# The stateless parts of core and model that a device plugin may use are linked into it.
PLUGIN_ARCHIVES := $(call archives,fuse model formats json core)

define plugin_rule
$(PLUGIN_DIR)/$(1).so: $(2) $(3)
	@mkdir -p $$(@D)
	@echo "  LINK    $$@"
	$$(Q)$$(CC) -shared $$(ALL_LDFLAGS) -o $$@ $(2) -Wl,--start-group $(3) -Wl,--end-group \
		-Wl,--exclude-libs,ALL -Wl,--as-needed $(4)
endef
$(eval $(call plugin_rule,cpu,$(call objs,plugins/cpu),$(PLUGIN_ARCHIVES),$(LIBS_dnnl) $(call libs,model formats json core)))
# The cuda plugin is built when nvcc and cuDNN 9 are found: WITH_CUDA=auto|0|1, CUDA_HOME,
# CUDNN_HOME (include/ and lib/ in each); cuDNN may also be the one of a Python package.  It never
# links libcuda, which only a driver brings.
WITH_CUDA ?= auto
CUDA_HOME ?= $(firstword $(patsubst %/bin/nvcc,%,$(wildcard /usr/local/cuda/bin/nvcc /opt/cuda/bin/nvcc \
	/usr/local/cuda-1[0-9].*/bin/nvcc)) $(patsubst %/bin/nvcc,%,$(shell command -v nvcc 2>/dev/null)))
ifneq ($(WITH_CUDA),0)
NVCC := $(wildcard $(CUDA_HOME)/bin/nvcc)
CUDNN_HOME ?= $(if $(wildcard $(CUDA_HOME)/include/cudnn.h),$(CUDA_HOME),$(if $(wildcard /usr/include/cudnn.h),/usr,$(if \
	$(NVCC),$(shell python3 -c 'import nvidia.cudnn as m; print(list(m.__path__)[0])' 2>/dev/null))))
CUDNN_INC := $(patsubst %/cudnn.h,%,$(firstword $(wildcard $(CUDNN_HOME)/include/cudnn.h)))
cuda_lib = $(firstword $(wildcard $(foreach d,$(1),$(d)/lib64/$(2) $(d)/lib/$(2) $(d)/lib/x86_64-linux-gnu/$(2))))
CUDNN_LIB := $(call cuda_lib,$(CUDNN_HOME) $(CUDA_HOME) /usr,libcudnn.so.9)
CUBLASLT_LIB := $(call cuda_lib,$(CUDA_HOME) /usr,libcublasLt.so.1[2-9])
CUBLASLT_LIB := $(if $(CUBLASLT_LIB),$(CUBLASLT_LIB),$(if $(NVCC),$(firstword $(wildcard \
	$(CUDNN_HOME)/../cublas/lib/libcublasLt.so.1[2-9] $(CUDNN_HOME)/../cu13/lib/libcublasLt.so.13))))
CUDART_LIB := $(call cuda_lib,$(CUDA_HOME) /usr,libcudart_static.a)
CUDA_FOUND := $(if $(and $(NVCC),$(CUDNN_INC),$(CUDNN_LIB),$(CUBLASLT_LIB),$(CUDART_LIB)),1)
ifeq ($(WITH_CUDA)$(CUDA_FOUND),1)
$(error WITH_CUDA=1: nvcc '$(NVCC)', cudnn.h '$(CUDNN_INC)', libcudnn '$(CUDNN_LIB)', libcublasLt \
'$(CUBLASLT_LIB)', libcudart_static '$(CUDART_LIB)' (set CUDA_HOME and CUDNN_HOME))
endif
endif
# Machine code for A100, H100/H200 and B200, and PTX for what comes later.
CUDA_ARCHS ?= $(filter 80 90 100,$(patsubst compute_%,%,$(if $(CUDA_FOUND),$(shell $(NVCC) --list-gpu-arch))))
NVCC_FLAGS := -O3 -std=c++17 -Isrc $(foreach a,$(CUDA_ARCHS),-gencode arch=compute_$(a),code=sm_$(a)) \
	-gencode arch=compute_$(lastword $(CUDA_ARCHS)),code=compute_$(lastword $(CUDA_ARCHS)) \
	-Xcompiler -fPIC,-fvisibility=hidden,-Wall,-Wextra,-fno-exceptions,-fno-rtti,-fno-threadsafe-statics
CUDA_CFLAGS := $(if $(CUDA_FOUND),-isystem $(CUDA_HOME)/include -isystem $(CUDNN_INC))
LIBS_cuda := $(CUDNN_LIB) $(CUBLASLT_LIB) $(CUDART_LIB) -ldl -lrt -lpthread \
	$(foreach d,$(sort $(dir $(CUDNN_LIB) $(CUBLASLT_LIB))),-Wl,-rpath,$(d:%/=%))

# What of the cuda plugin needs no toolkit: graphs to programs.
CUDA_PLAN_OBJS := $(patsubst src/%.c,$(B)/obj/%.o,$(wildcard src/plugins/cuda/lower*.c) src/plugins/cuda/program.c)
CUDA_OBJS := $(filter-out $(CUDA_PLAN_OBJS),$(call objs,plugins/cuda)) build/cuda/kernels.cu.o
$(B)/lib/cuda-plan.a: $(CUDA_PLAN_OBJS)
	@mkdir -p $(@D)
	@echo "  AR      $@"
	$(Q)rm -f $@ && ar rcs $@ $^
$(B)/lib/cuda-device.a: $(CUDA_OBJS)
	@mkdir -p $(@D)
	@echo "  AR      $@"
	$(Q)rm -f $@ && ar rcs $@ $^
$(CUDA_OBJS): OBJ_CFLAGS := -fvisibility=hidden $(CUDA_CFLAGS)
# One object for all modes: it takes most of a minute, and nothing in it depends on the mode.
CUDA_STAMP := build/cuda/flags
$(if $(CUDA_FOUND),$(shell mkdir -p build/cuda; printf '%s\n' '$(NVCC) $(NVCC_FLAGS)' | cmp -s - $(CUDA_STAMP) || \
	printf '%s\n' '$(NVCC) $(NVCC_FLAGS)' > $(CUDA_STAMP)))
build/cuda/%.cu.o: src/plugins/cuda/%.cu $(CUDA_STAMP)
	@mkdir -p $(@D)
	@echo "  NVCC    $<"
	$(Q)$(NVCC) $(NVCC_FLAGS) -MMD -MP -MF $(@:.o=.d) -c $< -o $@
-include build/cuda/kernels.cu.d
ifeq ($(CUDA_FOUND),1)
PLUGINS += $(PLUGIN_DIR)/cuda.so
$(eval $(call plugin_rule,cuda,$(CUDA_OBJS) $(CUDA_PLAN_OBJS),$(PLUGIN_ARCHIVES),$(LIBS_cuda) $(call libs,model formats json core)))
endif
$(eval $(call plugin_rule,sim,$(call objs,plugins/sim),$(PLUGIN_ARCHIVES),$(call libs,model formats json core)))
$(eval $(call plugin_rule,media,$(call objs,media/av),$(call archives,core),$(LIBS_av) $(LIBS_core)))
.PHONY: plugins
plugins: $(PLUGINS)

# ---- programs --------------------------------------------------------------------------------

PROGRAMS := $(patsubst %,$(B)/bin/nexus-%,$(TOOLS))
define tool_rule
$(B)/bin/nexus-$(1): $(call objs,nexus-$(1)) $(call archives,$(TOOL_DEPS_$(1)))
	@mkdir -p $$(@D)
	@echo "  LINK    $$@"
	$$(Q)$$(CC) $$(ALL_LDFLAGS) -o $$@ $(call objs,nexus-$(1)) -Wl,--start-group \
		$(call archives,$(TOOL_DEPS_$(1))) -Wl,--end-group $(sort $(call libs,$(TOOL_DEPS_$(1))))
endef
$(foreach t,$(TOOLS),$(eval $(call tool_rule,$(t))))

# bin/ always holds what was built last, whatever the mode.
.PHONY: programs
programs: $(PROGRAMS) $(PLUGINS)
	@mkdir -p bin
	@for p in $(TOOLS); do cmp -s $(B)/bin/nexus-$$p bin/nexus-$$p || \
		{ rm -f bin/nexus-$$p; cp $(B)/bin/nexus-$$p bin/nexus-$$p; }; done

# ---- tests -----------------------------------------------------------------------------------

# tests/unit/MODULE/test_*.c: one program each, linked with that module and what it may use.
UNIT_SRCS := $(sort $(wildcard tests/unit/*/test_*.c))
UNIT_BINS := $(patsubst tests/unit/%.c,$(B)/tests/%,$(UNIT_SRCS))
define unit_rule
$(B)/tests/$(1)/test_%: tests/unit/$(1)/test_%.c tests/lib/unit.h $(call archives,$(filter $(MODULES),$(1)) $(DEPS_$(1))) $(FLAGS_STAMP)
	@mkdir -p $$(@D)
	@echo "  TEST    $$@"
	$$(Q)$$(CC) $$(ALL_CFLAGS) $$(CFLAGS_check) -Wno-gnu-zero-variadic-macro-arguments -Itests/lib $$(ALL_LDFLAGS) -o $$@ $$< \
		-Wl,--start-group $(call archives,$(filter $(MODULES),$(1)) $(DEPS_$(1))) -Wl,--end-group \
		$(sort $(call libs,$(1) $(DEPS_$(1)))) $$(LIBS_check)
endef
$(foreach m,$(MODULES),$(eval $(call unit_rule,$(m))))
# The cuda plugin's planning needs no toolkit; what asks cuDNN does, but no GPU.
DEPS_cuda := $(if $(CUDA_FOUND),cuda-device) cuda-plan fuse model formats json core
LIBS_cuda-device := $(LIBS_cuda)
$(eval $(call unit_rule,cuda))
# The same programs as a plugin for the tools: run on the host, for tests alone.
EMULATE := $(B)/tests/plugins/emulate.so
$(EMULATE): tests/unit/cuda/plugin_emulate.c $(B)/lib/cuda-plan.a $(PLUGIN_ARCHIVES) $(FLAGS_STAMP)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC) -shared -fvisibility=hidden $(ALL_CFLAGS) -MF $@.d $(ALL_LDFLAGS) -o $@ $< -Wl,--start-group \
		$(B)/lib/cuda-plan.a $(PLUGIN_ARCHIVES) -Wl,--end-group -Wl,--exclude-libs,ALL \
		$(call libs,model formats json core)
UNIT_BINS := $(if $(CUDA_FOUND),$(UNIT_BINS),$(filter-out $(B)/tests/cuda/test_plans,$(UNIT_BINS)))

.PHONY: check unit check-real check-san demo
unit: $(UNIT_BINS) $(EMULATE) plugins $(if $(filter release,$(MODE)),gpu-programs)
check: all unit
	@sh tests/run.sh $(B)

# Real models and videos that the project does not ship: DATA=DIR or $NEXUS_TEST_DATA.
DATA ?= $(NEXUS_TEST_DATA)
check-real: all unit
	@NEXUS_TEST_DATA='$(DATA)' sh tests/real.sh $(B)

# The unit tests and the command-line tests under ASan + UBSan; under TSan the threaded tests with
# the sim plugin (oneDNN and libav* are not instrumented).
check-san:
	$(Q)$(MAKE) --no-print-directory MODE=asan programs_san unit
	$(Q)sh tests/san.sh asan
	$(Q)$(MAKE) --no-print-directory MODE=tsan programs_san unit
	$(Q)sh tests/san.sh tsan
# Programs of a mode without touching bin/.
.PHONY: programs_san
programs_san: $(PROGRAMS) $(PLUGINS)

# On a machine with a GPU, a driver, cuDNN and Python with PyTorch, and nothing else: the programs
# stand alone (build/gpu), so that they can be built elsewhere and carried there.  Without a GPU
# both say so in one line.  bench-gpu: ARGS=--help.
GPU_PROGRAMS := build/gpu/check build/gpu/bench
.PHONY: check-gpu bench-gpu gpu-programs gpu-data
# What was built elsewhere is taken as it is where it cannot be built.
gpu-programs: $(if $(and $(CUDA_FOUND),$(wildcard $(ONNX_PROTO_DIR)/onnx.proto)),$(GPU_PROGRAMS))
GPU_MODELS := mnist-cntk cifar10-winml face-rfb-320 face-rfb-320-simplified conv-mobilenet-v1-0.25-224 \
	conv-emotion-mini-xception conv-squeezenet-fp32 superres-224 det-light-person det-yolox-nano-416
gpu-data:
	@mkdir -p build/gpu/data/models build/gpu/data/golden build/gpu/data/models-light
	@for m in $(GPU_MODELS); do cp $(DATA)/models/$$m.onnx build/gpu/data/models/ && \
		cp -r $(DATA)/golden/$$m build/gpu/data/golden/ || exit 1; done
	@cp $(DATA)/models-light/light_resnet50.onnx $(DATA)/models-light/light_vgg19.onnx build/gpu/data/models-light/
check-gpu: gpu-programs
	@NEXUS_TEST_DATA='$(DATA)' sh tests/gpu/check.sh
bench-gpu: gpu-programs
	@NEXUS_TEST_DATA='$(DATA)' sh tests/gpu/bench.sh $(ARGS)
build/gpu/%: tests/gpu/%.c $(B)/lib/cuda-device.a $(PLUGIN_ARCHIVES) $(B)/lib/cuda-plan.a $(FLAGS_STAMP)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC) $(ALL_CFLAGS) -MF $@.d $(CUDA_CFLAGS) -Itests/lib $(ALL_LDFLAGS) -o $@ $< -Wl,--start-group \
		$(B)/lib/cuda-device.a $(B)/lib/cuda-plan.a $(PLUGIN_ARCHIVES) -Wl,--end-group $(LIBS_cuda) \
		-s -l:libprotobuf-c.a -l:libcheck_pic.a -l:libsubunit.a -l:libcrypto.a -lm -ldl -lpthread -lrt

# The engine against ONNX Runtime: ARGS='--models resnet50 --batches 1,8 --rounds 3' for a quick
# look, ARGS=--help for all; see tests/bench/engine/run.sh.
ARGS ?=
.PHONY: bench-engine
bench-engine: $(B)/bench/engine-host $(B)/bench/engine-peak plugins
	@sh tests/bench/engine/run.sh $(B) $(ARGS) || [ $$? -eq 77 ]
# From file to first answer, and what stays in memory: ARGS='ROUNDS NETWORK…'.
.PHONY: bench-plan
bench-plan: programs
	@python3 tests/bench/plan.py $(ARGS)

.PHONY: bench-load
bench-load: $(B)/bench/load plugins
	@sh tests/bench/load/run.sh $(B) $(ARGS) || [ $$? -eq 77 ]
$(B)/bench/engine-host: tests/bench/engine/host.c
$(B)/bench/load: tests/bench/load/load.c
$(B)/bench/engine-host $(B)/bench/load: $(call archives,engine $(DEPS_engine)) $(FLAGS_STAMP)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.c,$^) -Wl,--start-group \
		$(call archives,engine $(DEPS_engine)) -Wl,--end-group $(sort $(call libs,engine $(DEPS_engine)))
$(B)/bench/engine-peak: tests/bench/engine/peak.c $(FLAGS_STAMP)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(LIBS_dnnl)

# The main job on the shipped clip; the results stay in build/demo.
demo: all
	@sh examples/read-overlay.sh build/demo

# ---- lint ------------------------------------------------------------------------------------

C_FILES := $(sort $(wildcard src/*/*.[ch] src/*/*/*.[ch] tests/unit/*/*.[ch] tests/lib/*.[ch] tests/fuzz/*.[ch] tests/bench/*/*.[ch] tests/gpu/*.[ch]))
SH_FILES := $(sort $(wildcard tests/gpu/*.sh examples/*.sh share/nexus/*.sh share/nexus/nexus-replan tests/*.sh tests/lib/*.sh tests/lint/*.sh tests/cli/*.t tests/real/*.sh tests/real/*.t tests/bench/*/*.sh .ci/run))
.PHONY: lint format headers man fuzz
lint: headers
	@sh tests/lint/lint.sh

format:
	clang-format -i $(C_FILES)

# Each header compiles alone.
headers: $(ONNX_PB).h
	@for h in $(filter-out $(if $(CUDA_FOUND),,src/plugins/cuda/device.h src/plugins/cuda/exec.h \
		src/plugins/cuda/tune.h),$(filter src/%.h,$(C_FILES))); do \
		echo 'extern int nx_headers;' | $(CC) $(ALL_CFLAGS) $(CUDA_CFLAGS) -MF /dev/null -I$(LLHTTP_INC) \
			$(CFLAGS_av) -fsyntax-only -include $$h -x c - || exit 1; done

# Rewrites the OPTIONS of the man pages from the option tables.
man: programs
	@for t in $(TOOLS); do sh tests/lib/man_options.sh bin/nexus-$$t man/nexus-$$t.1 > $(B)/man.tmp \
		&& cat $(B)/man.tmp > man/nexus-$$t.1; done; rm -f $(B)/man.tmp

# libFuzzer targets (clang): build/fuzz/fuzz_*; tests/fuzz/run.sh gives each a short run.
FUZZ_SRCS := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_MODULES := net vision media stats model formats json core
fuzz: $(ONNX_PB).h
	$(Q)$(MAKE) --no-print-directory CC=clang MODE=asan B=build/fuzz \
		CFLAGS='-fsanitize=fuzzer-no-link -DNX_FOLD_CAP=67108864 -Wno-gnu-zero-variadic-macro-arguments' fuzz_bins
.PHONY: fuzz_bins
fuzz_bins: $(patsubst tests/fuzz/%.c,$(B)/%,$(FUZZ_SRCS)) $(PLUGIN_DIR)/media.so
$(B)/fuzz_%: tests/fuzz/fuzz_%.c $(call archives,$(FUZZ_MODULES))
	@echo "  FUZZ    $@"
	$(Q)$(CC) $(ALL_CFLAGS) -MF $@.d -fsanitize=fuzzer $(ALL_LDFLAGS) -o $@ $< \
		-Wl,--start-group $(call archives,$(FUZZ_MODULES)) -Wl,--end-group \
		$(sort $(call libs,$(FUZZ_MODULES)))

# ---- install ---------------------------------------------------------------------------------

INSTALL := install
DIRS_bin := $(DESTDIR)$(PREFIX)/bin
DIRS_lib := $(DESTDIR)$(PREFIX)/lib/nexus
DIRS_share := $(DESTDIR)$(PREFIX)/share
SHARE_FILES := $(sort $(wildcard share/nexus/schemas/*.json share/nexus/systemd/* share/nexus/crontab share/nexus/nexus-replan))
EXAMPLES := $(sort $(wildcard examples/*.sh))
DIR_examples := $(DESTDIR)$(PREFIX)/share/nexus/examples
MAN_PAGES := $(sort $(wildcard man/*.[0-9]))

.PHONY: install uninstall
install: all
	$(INSTALL) -d $(DIRS_bin) $(DIRS_lib)
	$(INSTALL) -m 755 $(PROGRAMS) $(DIRS_bin)
	$(INSTALL) -m 644 $(PLUGINS) $(DIRS_lib)
	@for f in $(SHARE_FILES); do \
		$(INSTALL) -d $(DESTDIR)$(PREFIX)/$$(dirname $$f) || exit 1; \
		mode=644; [ -x $$f ] && mode=755; \
		$(INSTALL) -m $$mode $$f $(DESTDIR)$(PREFIX)/$$f || exit 1; done
	$(INSTALL) -d $(DIR_examples)
	$(INSTALL) -m 755 $(EXAMPLES) $(DIR_examples)
	@for f in $(MAN_PAGES); do d=$(DIRS_share)/man/man$${f##*.}; \
		$(INSTALL) -d $$d && $(INSTALL) -m 644 $$f $$d || exit 1; done
	@$(INSTALL) -d $(DIRS_share)/bash-completion/completions $(DIRS_share)/zsh/site-functions \
		$(DIRS_share)/fish/vendor_completions.d
	@for t in $(TOOLS); do \
		bin/nexus-$$t --help-complete=bash > $(DIRS_share)/bash-completion/completions/nexus-$$t && \
		bin/nexus-$$t --help-complete=zsh > $(DIRS_share)/zsh/site-functions/_nexus-$$t && \
		bin/nexus-$$t --help-complete=fish > $(DIRS_share)/fish/vendor_completions.d/nexus-$$t.fish || exit 1; done

# Removes the files of `make install`, and the folders that are empty then.
uninstall:
	rm -f $(patsubst %,$(DIRS_bin)/nexus-%,$(TOOLS)) $(patsubst $(PLUGIN_DIR)/%,$(DIRS_lib)/%,$(PLUGINS))
	@rm -f $(patsubst %,$(DESTDIR)$(PREFIX)/%,$(SHARE_FILES))
	@rm -f $(patsubst examples/%,$(DIR_examples)/%,$(EXAMPLES))
	@for f in $(MAN_PAGES); do rm -f $(DIRS_share)/man/man$${f##*.}/$${f##*/}; done
	@for t in $(TOOLS); do rm -f $(DIRS_share)/bash-completion/completions/nexus-$$t \
		$(DIRS_share)/zsh/site-functions/_nexus-$$t $(DIRS_share)/fish/vendor_completions.d/nexus-$$t.fish; done
	@for d in $(DIRS_lib) $(DIRS_share)/nexus/schemas $(DIRS_share)/nexus/systemd $(DIR_examples) $(DIRS_share)/nexus \
		$(DIRS_share)/man/man1 $(DIRS_share)/man/man5 $(DIRS_share)/man/man7 $(DIRS_share)/man \
		$(DIRS_share)/bash-completion/completions $(DIRS_share)/bash-completion \
		$(DIRS_share)/zsh/site-functions $(DIRS_share)/zsh $(DIRS_share)/fish/vendor_completions.d \
		$(DIRS_share)/fish $(DIRS_share) $(DIRS_bin) $(DESTDIR)$(PREFIX)/lib $(DESTDIR)$(PREFIX); do \
		rmdir $$d 2>/dev/null || :; done

-include $(shell find $(B)/obj $(B)/tests $(B)/bench -name '*.d' 2>/dev/null)

.PHONY: clean
clean:
	rm -rf build bin/nexus-*
