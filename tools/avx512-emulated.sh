#!/bin/sh
# Runs the kernel tests and the golden stages on the AVX-512 table in an emulated Skylake-X (Bochs), for machines
# whose CPU lacks AVX-512.
#   [BUILD=build] [KERNEL=vmlinuz] tools/avx512-emulated.sh [golden entry to leave out...]
# The programs and their libraries become the initramfs of a Debian kernel: KERNEL, 5.18 or later, or else one that
# is downloaded and unpacked, not installed. Needs the packages bochs, bochs-term, busybox-static, isolinux,
# syslinux-common and xorriso of Debian 12. Everything lies in $BUILD/avx512. One test for each program and golden
# entry (the part of a stage's name before the dot); ends with "N passed, N failed, N skipped".
cd "$(dirname "$0")/.." || exit 4
build=${BUILD:-build}
work=$build/avx512
tests="test_kernels test_kernel_values test_kernels_int8"
entries=$(sed 's/\..*//' tests/golden.txt | sort -u)
for entry in "$@"; do entries=$(echo "$entries" | grep -vx "$entry"); done
loader=/usr/lib/ISOLINUX/isolinux.bin
module=/usr/lib/syslinux/modules/bios/ldlinux.c32
limit=3600

skip() {
    echo "skip: avx512 emulated: $1"
    echo "[  SKIPPED ] avx512 emulated"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}

die() {
    echo "avx512-emulated: $1" >&2
    exit 4
}

[ "$(uname -m)" = x86_64 ] || skip "the emulated PC runs no programs of $(uname -m)"
if grep -qw avx512dq /proc/cpuinfo; then skip "this CPU has AVX-512: make test and make golden use it"; fi
for tool in bochs busybox xorriso apt-get strip $loader $module; do
    command -v "$tool" >/dev/null || [ -e "$tool" ] || skip "needs $tool (packages: docs/building.md)"
done

# The newest kernel of the archive, unpacked below $work.
unpack_kernel() {
    name=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9]\)/\1/p')
    (cd "$work" && apt-get download "$name" && dpkg-deb -x "$name"_*.deb kernel) >"$work/kernel.log" 2>&1
}

mkdir -p "$work" || exit 4
if [ -z "$KERNEL" ]; then
    [ -d "$work/kernel" ] || unpack_kernel || skip "no kernel: $(tail -n 1 "$work/kernel.log")"
    KERNEL=$(echo "$work"/kernel/boot/vmlinuz-*)
fi

targets=
for program in $tests golden; do targets="$targets $build/tests/$program"; done
# shellcheck disable=SC2086
make BUILD="$build" $targets || exit 1

# Root of the initramfs. Libraries keep their paths.
root=$work/root disc=$work/disc
rm -rf "$root" "$disc"
mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/tests" "$root/tmp" "$disc" || exit 4
cp "$(command -v busybox)" "$root/bin/" && cp tests/golden.txt "$root/tests/" || exit 4
for program in $tests golden; do strip -o "$root/bin/$program" "$build/tests/$program" || exit 4; done
# shellcheck disable=SC2086
for library in $(ldd $targets | grep -o '/[^ ]*\.so[^ ]*' | sort -u); do
    mkdir -p "$root${library%/*}" && cp -L "$library" "$root$library" || exit 4
done
{
    cat <<EOF
#!/bin/busybox sh
busybox=/bin/busybox
\$busybox mount -t proc proc /proc
\$busybox mount -t devtmpfs dev /dev
# LLVM's OpenMP wants shared memory.
\$busybox mkdir /dev/shm
\$busybox mount -t tmpfs shm /dev/shm
exec >/dev/ttyS0 2>&1
\$busybox grep -m 1 'model name' /proc/cpuinfo
export RETORT_ISA=avx512 OMP_NUM_THREADS=1 RETORT_SEED=${RETORT_SEED:-$(date +%s)}
run() {
    echo "==== \$*"
    /bin/"\$@"
    echo "==== \$*: status \$?"
}
EOF
    for program in $tests; do echo "run $program"; done
    for entry in $entries; do echo "run golden --isa avx512 --only $entry"; done
    # The serial line has to drain.
    echo "\$busybox sleep 2; \$busybox poweroff -f"
} >"$root/init"
chmod +x "$root/init"
(cd "$root" && find . | busybox cpio -o -H newc) >"$disc/initrd" 2>"$work/cpio.log" || die "$(cat "$work/cpio.log")"

# Bochs reports the size of compacted XSAVE areas wrongly, whereupon Linux would do without AVX.
cp "$KERNEL" "$disc/linux" && cp $loader $module "$disc/" || exit 4
cat >"$disc/isolinux.cfg" <<EOF
default linux
label linux
 kernel linux
 append initrd=initrd console=ttyS0 quiet panic=-1 mitigations=off clearcpuid=xsaves,xsavec
EOF
rm -f "$work/boot.iso" "$work/serial.txt"
xorriso -as mkisofs -quiet -o "$work/boot.iso" -b isolinux.bin -c boot.cat -no-emul-boot -boot-load-size 4 \
    -boot-info-table "$disc" >"$work/xorriso.log" 2>&1 || die "$(tail -n 1 "$work/xorriso.log")"

cat >"$work/bochsrc" <<EOF
cpu: model=corei7_skylake_x, ips=50000000
megs: 256
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
ata0-master: type=cdrom, path=$work/boot.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=$work/serial.txt
display_library: term
sound: driver=dummy
log: $work/bochs.log
EOF
echo continue >"$work/debugger"
begun=$(date +%s)
TERM=vt100 timeout "$limit" bochs -q -f "$work/bochsrc" -rc "$work/debugger" >"$work/screen.txt" 2>&1 </dev/null
tr -d '\r' <"$work/serial.txt" >"$work/log"
cat "$work/log"

passed=0 failed=0
verdict() {
    if grep -q "^==== $1: status 0\$" "$work/log"; then
        echo "[       OK ] avx512 emulated: $1"
        passed=$((passed + 1))
    else
        echo "[  FAILED  ] avx512 emulated: $1"
        failed=$((failed + 1))
    fi
}
for program in $tests; do verdict "$program"; done
for entry in $entries; do verdict "golden --isa avx512 --only $entry"; done
echo "$(($(date +%s) - begun)) s in the emulator"
echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
