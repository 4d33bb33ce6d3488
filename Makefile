# retort: build, test, install. Everything is made below $(BUILD); V=1 shows the commands.
#
#   make                      the command, the library               build/retort build/libretort.a
#   make test                 every test program and script, golden hashes included; TEST="PATTERN..." for some
#   make golden               tests/golden.txt on every ISA of this machine, 1, 2, 3 and 7 threads
#   make golden UPDATE=1      writes tests/golden.txt anew (say why in the commit)
#   make golden-cross         the same file on AArch64, ARMv7 and RISC-V under qemu-user
#   make demo                 distils for a camera that is drawn; without weights/pico.safetensors for one of
#                             ../shared (tools/demo.sh)
#   make demo-expressway      distils for one camera of ../shared (tools/demo_expressway.sh)
#   make weights              trains weights/ from nothing, hours; WEIGHTS="pico n" some of them, QUICK=1 a minute
#   make embedder-quality     nearest neighbours on held-out cameras; EMBEDDERS="one.safetensors other.safetensors"
#   make bench                times of the network, training and selection; PEERS=1 compares with other engines
#   make bench-tables         the tables of README.md and docs/performance.md from bench/results
#   make experiments          the comparisons of the papers, about four hours (tools/experiments.py);
#                             experiments-page writes docs/experiments.md from their rows
#   make main-job             distils for four cameras of ../shared, three seeds, two ways to choose; takes hours
#   make san                  tests under address and undefined-behaviour sanitizers
#   make fuzz                 libFuzzer harnesses of every parser (clang); tools/fuzz.sh runs them
#   make install PREFIX=/usr/local DESTDIR=     and uninstall with the same
#   make STATIC=1             static binary
#   make ARCH=aarch64|armv7|riscv64   static cross build below build/ARCH (docs/building.md)

ARCH ?= native
OPT ?= -O3
# Loops over floats and pixels are worth the size of -O3. What runs once a command, a step or a camera is long, and
# made small.
OPT_REST ?= $(if $(filter -O3,$(OPT)),-O2,$(OPT))
OPT_SMALL ?= $(if $(filter -O3,$(OPT)),-Os,$(OPT))
PREFIX ?= /usr/local

ifeq ($(ARCH),native)
  BUILD ?= build
  MACHINE := $(shell uname -m)
else ifeq ($(ARCH),aarch64)
  CC := aarch64-linux-gnu-gcc
  MACHINE := aarch64
  QEMU := qemu-aarch64-static
else ifeq ($(ARCH),armv7)
  CC := arm-linux-gnueabihf-gcc
  MACHINE := armv7l
  QEMU := qemu-arm-static
else ifeq ($(ARCH),riscv64)
  CC := riscv64-linux-gnu-gcc
  MACHINE := riscv64
  QEMU := qemu-riscv64-static
else
  $(error ARCH must be native, aarch64, armv7 or riscv64)
endif
ifeq ($(origin CC),default)
  CC := gcc
endif
BUILD ?= build/$(ARCH)
ifeq ($(ARCH),native)
  STATIC ?= 0
else
  STATIC ?= 1
endif

# ---- The arithmetic contract (docs/NUMERICS.md) lives in these flags. ------------------------------------------
# No contraction: a fused multiply-add is written or it is not there. No value-changing option, ever; the two others
# only drop side effects (errno, traps) that nobody reads. An ISO standard level keeps gcc from contracting anyway.
NUMERIC := -std=c17 -ffp-contract=off -fno-math-errno -fno-trapping-math
# What a user's flags must not bring: options that change values, or code for one machine in every object.
REFUSED := -Ofast -ffast-math -funsafe-math-optimizations -fassociative-math -freciprocal-math -ffinite-math-only
REFUSED += -fno-signed-zeros -fsingle-precision-constant -ffp-model=% -fdenormal-fp-math% -mdaz-ftz -mrecip%
REFUSED += -march=% -mcpu=% -flto%
# Per-ISA objects differ in these and in nothing else. The scalar table is baseline code.
ISA_FLAGS_scalar :=
ISA_FLAGS_fma    := -mfma
ISA_FLAGS_avx2   := -mavx2 -mfma
ISA_FLAGS_avx512 := -mavx512f -mavx512vl -mavx512dq -mavx512bw -mfma -mprefer-vector-width=512
ISA_FLAGS_neon   :=
# Dot products of bytes: such tables differ in the integer convolution alone (src/kernels/dots.c).
ISA_FLAGS_vnni := $(ISA_FLAGS_avx512) -mavx512vnni
ISA_FLAGS_neondot := -march=armv8.2-a+dotprod
ifeq ($(MACHINE),x86_64)
  ISAS := scalar fma avx2 avx512
  DOTS := vnni
  # What only x86 without AVX2 runs: networks are as fast at half the size.
  ISA_LEVEL_scalar = $(OPT_REST)
  ISA_LEVEL_fma = $(OPT_REST)
else ifeq ($(MACHINE),aarch64)
  ISAS := scalar neon
  DOTS := neondot
else ifneq ($(filter armv7l armv8l,$(MACHINE)),)
  ISAS := scalar neon
  ISA_FLAGS_neon := -mfpu=neon-vfpv4
else
  ISAS := scalar
endif
# ----------------------------------------------------------------------------------------------------------------

# CFLAGS, CPPFLAGS, LDFLAGS and LDLIBS are the user's (`make CFLAGS="-O2 -g"`). Ours stand in variables of their own,
# those of the contract last on the line, where they win.
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
OWN_CPPFLAGS := -Isrc -Iinclude -D_POSIX_C_SOURCE=200809L
# Frame pointers and .debug_frame serve profilers and debuggers; unwind tables would only make the program larger.
OWN_CFLAGS := -g -fno-omit-frame-pointer -fno-asynchronous-unwind-tables -fno-unwind-tables -ffunction-sections \
    $(WARN) $(NUMERIC) -fopenmp -MMD -MP $(SAN)
refused := $(filter $(REFUSED),$(CC) $(CPPFLAGS) $(OPT) $(OPT_REST) $(OPT_SMALL) $(CFLAGS) $(LDFLAGS) $(SAN))
ifneq ($(refused),)
  $(error $(refused): results would no longer be the same on every machine (docs/NUMERICS.md); leave it out)
endif
FAST := src/kernels/% src/image/% src/select/embeddings.c $(addprefix src/nn/,conv_pack.c pixels.c) \
    $(addprefix src/world/,backdrop.c canvas.c paint.c sensor.c)
SMALL := $(foreach part,api cli detect nn select train world,src/$(part)/%)
MIDDLE := src/nn/op_% src/nn/conv% $(addprefix src/nn/,half.c load.c weights.c window.c) \
    $(addprefix src/detect/,box.c head_decode.c metric.c nms.c) $(addprefix src/select/,cluster.c farthest.c) \
    $(addprefix src/train/,assign.c augment.c box_terms.c loss_detect.c polygon.c) \
    $(addprefix src/world/,area.c frame.c ground.c lens.c place.c scenery_hit.c shade.c)
level = $(if $(filter $(FAST),$<),$(OPT),$(if $(filter $(SMALL),$(filter-out $(MIDDLE),$<)),$(OPT_SMALL),$(OPT_REST)))
COMPILE = $(CC) $(OWN_CPPFLAGS) $(CPPFLAGS) $(or $(ISA_LEVEL_$*),$(level)) $(CFLAGS) $(OWN_CFLAGS)
OWN_LDFLAGS := -fopenmp -Wl,--gc-sections $(SAN)
ifeq ($(STATIC),1)
  OWN_LDFLAGS += -static
endif
LINK = $(CC) $(LDFLAGS) $(OWN_LDFLAGS)

# Optional libraries: present unless a probe compile says otherwise (cross builds may lack them).
HASH := \#
probe = $(shell printf '$(HASH)include <stdio.h>\n$(HASH)include <$(1)>\nint main(void){return 0;}\n' | \
          $(LINK) $(OWN_CPPFLAGS) $(CPPFLAGS) -x c - -o /dev/null $(2) 2>/dev/null && echo 1 || echo 0)
HAVE_JPEG := $(call probe,jpeglib.h,-ljpeg)
HAVE_PNG := $(call probe,png.h,-lpng -lz -lm)
HAVE_JANSSON := $(call probe,jansson.h,-ljansson)
OWN_CPPFLAGS += -DHAVE_JPEG=$(HAVE_JPEG) -DHAVE_PNG=$(HAVE_PNG) -DHAVE_JANSSON=$(HAVE_JANSSON)
LIBS_1_JPEG := -ljpeg
LIBS_1_PNG := -lpng -lz
LIBS_1_JANSSON := -ljansson
LIBS := $(LIBS_$(HAVE_JPEG)_JPEG) $(LIBS_$(HAVE_PNG)_PNG) $(LIBS_$(HAVE_JANSSON)_JANSSON) -lm $(LDLIBS)

# What a build was made with: every object depends on this file, so that other flags or another compiler rebuild it.
SETTINGS := $(CC) $(OWN_CPPFLAGS) $(CPPFLAGS) $(OPT) $(OPT_REST) $(OPT_SMALL) fast $(FAST) small $(SMALL) \
    middle $(MIDDLE) $(foreach isa,$(ISAS) $(DOTS),$(isa) $(ISA_FLAGS_$(isa)) $(ISA_LEVEL_$(isa))) \
    $(CFLAGS) $(OWN_CFLAGS) $(LDFLAGS) $(OWN_LDFLAGS) $(LIBS)
ifneq ($(MAKECMDGOALS),clean)
  ifneq ($(file <$(BUILD)/settings),$(SETTINGS))
    $(shell mkdir -p $(BUILD))
    $(file >$(BUILD)/settings,$(SETTINGS))
  endif
endif

ifeq ($(V),1)
  Q :=
else
  Q := @
  say = @echo '  $(1)  $(patsubst $(BUILD)/%,%,$@)'
endif

PER_ISA := src/kernels/isa.c src/kernels/dots.c
SOURCES := $(filter-out $(PER_ISA),$(wildcard src/*/*.c))
LIB_SOURCES := $(filter-out src/cli/%,$(SOURCES))
LIB_OBJECTS := $(LIB_SOURCES:%.c=$(BUILD)/%.o) $(ISAS:%=$(BUILD)/src/kernels/isa_%.o) $(DOTS:%=$(BUILD)/src/kernels/dots_%.o)
CLI_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(filter src/cli/%,$(SOURCES)))
TESTS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/test_*.c))
LIBRARY := $(BUILD)/libretort.a

# Only the rules below: a built-in one would try to link included dependency files.
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:

.PHONY: all lib test golden golden-cross demo demo-expressway weights embedder-quality bench bench-tables main-job experiments \
    experiments-page san fuzz install uninstall clean
.DELETE_ON_ERROR:
.SECONDARY:

all: lib $(if $(CLI_OBJECTS),$(BUILD)/retort)
lib: $(LIBRARY)

$(BUILD)/%.o: %.c $(BUILD)/settings
	$(call say,CC )
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -c $< -o $@

$(BUILD)/src/kernels/isa_%.o: src/kernels/isa.c $(BUILD)/settings
	$(call say,CC )
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(ISA_FLAGS_$*) -DKERNELS_TABLE=kernels_$* -DKERNELS_NAME='"$*"' \
	    -DVF_$(shell echo $* | tr a-z A-Z) -c $< -o $@

$(BUILD)/src/kernels/dots_%.o: src/kernels/dots.c $(BUILD)/settings
	$(call say,CC )
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(ISA_FLAGS_$*) -DCONV_INT8=conv_int8_$* -DVF_$(shell echo $* | tr a-z A-Z) -c $< -o $@

$(LIBRARY): $(LIB_OBJECTS)
	$(call say,AR )
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/retort: $(CLI_OBJECTS) $(LIBRARY)
	$(call say,LD )
	$(Q)$(LINK) $^ $(LIBS) -o $@

# What the command reads itself (manifests, options, frame lists) is tested and fuzzed too.
CLI_PARTS := $(BUILD)/cli.a
$(CLI_PARTS): $(filter-out %/main.o,$(CLI_OBJECTS))
	$(call say,AR )
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# Test programs share the helpers in tests/check*.c.
CHECK_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/check*.c))
$(BUILD)/tests/test_%: $(BUILD)/tests/test_%.o $(CHECK_OBJECTS) $(CLI_PARTS) $(LIBRARY)
	$(call say,LD )
	$(Q)$(LINK) $^ -lcmocka $(LIBS) -o $@

# The golden program links everywhere: no cmocka, no test helpers.
GOLDEN := $(BUILD)/tests/golden
$(GOLDEN): $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/golden*.c)) $(LIBRARY)
	$(call say,LD )
	$(Q)$(LINK) $^ $(LIBS) -o $@

RUN_SETTINGS := BUILD="$(BUILD)" ISAS="$(ISAS) $(DOTS)" RUNNER="$(QEMU)" CC="$(CC)" \
    CPPFLAGS="$(OWN_CPPFLAGS) $(CPPFLAGS)" SAN="$(SAN)"

test: all $(GOLDEN) $(TESTS)
	$(Q)$(RUN_SETTINGS) THREADS="1 3" TESTS="$(TESTS)" tests/run.sh $(BUILD) $(TEST)

GOLDEN_THREADS ?= 1 2 3 7
golden: $(GOLDEN)
ifeq ($(UPDATE),1)
	$(Q)$(QEMU) $(GOLDEN) --isa scalar --update
endif
	$(Q)$(RUN_SETTINGS) THREADS="$(GOLDEN_THREADS)" tests/golden.sh

CROSS := aarch64 armv7 riscv64
golden-cross: $(CROSS:%=golden-cross-%)
$(CROSS:%=golden-cross-%): golden-cross-%:
	$(Q)$(MAKE) --no-print-directory ARCH=$* BUILD=build/$* golden
.PHONY: $(CROSS:%=golden-cross-%)

demo: all
	$(Q)RETORT=$(BUILD)/retort tools/demo.sh

demo-expressway: all
	$(Q)RETORT=$(BUILD)/retort tools/demo_expressway.sh

weights: all
	$(Q)RETORT=$(BUILD)/retort tools/weights.sh $(if $(QUICK),--quick) $(WEIGHTS)

EMBEDDERS ?= weights/embedder.safetensors weights/pico.safetensors
embedder-quality: all
	$(Q)RETORT=$(BUILD)/retort tools/embedder_quality.py $(EMBEDDERS)

# EXPERIMENTS holds options of tools/experiments.py.
experiments: $(BUILD)/retort
	$(Q)python3 tools/experiments.py --retort $(BUILD)/retort $(EXPERIMENTS)

experiments-page:
	$(Q)$(or $(PYTHON),python3) tools/experiments_page.py

# docs/performance.md. MAIN_JOB holds options of tools/main_job.py.
main-job: $(BUILD)/retort
	$(Q)python3 tools/main_job.py --retort $(BUILD)/retort --out $(BUILD)/main-job --commit "$(COMMIT)" \
	    $(MAIN_JOB)

# docs/performance.md. BENCH holds options of the program that runs: bench/bench or bench/peers.
BENCH_PROGRAM := $(BUILD)/bench/bench
BENCH_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard bench/*.c))
COMMIT = $(shell git describe --always --dirty --abbrev=10 2>/dev/null || echo unknown)

$(BENCH_PROGRAM): $(BENCH_OBJECTS) $(LIBRARY)
	$(call say,LD )
	$(Q)$(LINK) $^ $(LIBS) -o $@

bench: $(BENCH_PROGRAM) $(BUILD)/retort
ifeq ($(PEERS),1)
	$(Q)python3 bench/peers --bench $(BENCH_PROGRAM) --commit "$(COMMIT)" $(BENCH)
else
	$(Q)$(BENCH_PROGRAM) --commit "$(COMMIT)" $(BENCH)
	@echo "other engines: not compared (PEERS=1 compares)"
endif

bench-tables:
	$(Q)python3 bench/tables.py

# Leaks stay on; what OpenMP's runtime keeps for its threads is named in tests/leaks.txt.
san:
	$(Q)LSAN_OPTIONS=suppressions=tests/leaks.txt:print_suppressions=0 UBSAN_OPTIONS=print_stacktrace=1 \
	    TEST_TIMEOUT=900 $(MAKE) --no-print-directory BUILD=build/san OPT="-O1" \
	    SAN="-fsanitize=address,undefined -fno-sanitize-recover=all" test

# Harnesses fuzz/fuzz_NAME.c; the whole library is compiled anew with coverage so that libFuzzer can steer.
HARNESSES := $(patsubst fuzz/%.c,%,$(wildcard fuzz/fuzz_*.c))
FUZZ_SAN := -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all
FUZZ_COVERAGE := -fprofile-instr-generate -fcoverage-mapping
fuzz:
	$(Q)$(MAKE) --no-print-directory CC=clang BUILD=build/fuzz OPT=-O1 SAN="$(FUZZ_SAN) $(FUZZ_COVERAGE)" \
	    $(HARNESSES:%=build/fuzz/%)
$(BUILD)/fuzz_%: $(BUILD)/fuzz/fuzz_%.o $(CLI_PARTS) $(LIBRARY)
	$(call say,LD )
	$(Q)$(LINK) -fsanitize=fuzzer $^ $(LIBS) -o $@

# ---- Installation ----------------------------------------------------------------------------------------------
VERSION = $(shell sed -n 's/^$(HASH)define RETORT_VERSION "\(.*\)"/\1/p' include/retort.h src/base/version.h 2>/dev/null)
INSTALL ?= install
OBJCOPY ?= $(if $(filter %-gcc,$(CC)),$(CC:gcc=objcopy),objcopy)

# The installed library is one object that shows the names of retort.h and nothing else, so that no inner name can
# clash with one of the program around it.
$(BUILD)/install/libretort.a: $(LIB_OBJECTS)
	$(call say,LD )
	@mkdir -p $(@D)
	$(Q)$(CC) -r -nostdlib $^ -o $(@D)/retort.o
	$(Q)$(OBJCOPY) --wildcard --keep-global-symbol='retort_*' $(@D)/retort.o
	$(Q)rm -f $@ && $(AR) rcs $@ $(@D)/retort.o

# The command describes itself; a page for it and one for each of its commands.
.PHONY: man
man: $(BUILD)/retort
	@rm -rf $(BUILD)/man && mkdir -p $(BUILD)/man
	$(Q)set -e; $(QEMU) $< help --man >$(BUILD)/man/retort.1; \
	for name in $$($(QEMU) $< help --names); do \
	    $(QEMU) $< help --man $$name >$(BUILD)/man/retort-$$name.1; \
	done

# Rewritten at each install: the prefix may differ from the last one.
.PHONY: $(BUILD)/retort.pc
$(BUILD)/retort.pc: tools/retort.pc.in
	@mkdir -p $(@D)
	$(Q)sed -e 's|@prefix@|$(PREFIX)|' -e 's|@version@|$(VERSION)|' -e 's|@libs@|$(LIBS)|' $< >$@

install: all man $(BUILD)/install/libretort.a $(BUILD)/retort.pc
	$(INSTALL) -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/include" "$(DESTDIR)$(PREFIX)/lib/pkgconfig" \
	    "$(DESTDIR)$(PREFIX)/share/man/man1"
	$(INSTALL) -m 755 $(BUILD)/retort "$(DESTDIR)$(PREFIX)/bin/"
	$(INSTALL) -m 644 include/retort.h "$(DESTDIR)$(PREFIX)/include/"
	$(INSTALL) -m 644 $(BUILD)/install/libretort.a "$(DESTDIR)$(PREFIX)/lib/"
	$(INSTALL) -m 644 $(BUILD)/retort.pc "$(DESTDIR)$(PREFIX)/lib/pkgconfig/"
	$(INSTALL) -m 644 $(BUILD)/man/*.1 "$(DESTDIR)$(PREFIX)/share/man/man1/"

uninstall:
	$(Q)rm -f "$(DESTDIR)$(PREFIX)/bin/retort" "$(DESTDIR)$(PREFIX)/include/retort.h" \
	    "$(DESTDIR)$(PREFIX)/lib/libretort.a" "$(DESTDIR)$(PREFIX)/lib/pkgconfig/retort.pc" \
	    "$(DESTDIR)$(PREFIX)/share/man/man1/retort.1" "$(DESTDIR)$(PREFIX)/share/man/man1/retort-"*.1

clean:
	rm -rf "$(BUILD)"

OBJECTS := $(LIB_OBJECTS) $(CLI_OBJECTS) $(BENCH_OBJECTS) \
    $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/*.c) $(HARNESSES:%=fuzz/%.c))
-include $(wildcard $(OBJECTS:.o=.d))
