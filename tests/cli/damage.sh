# Damaged files of every kind through the commands that read them: exit status 3, a message naming the file, and
# nothing written.
. "$(dirname "$0")/check"
if ! has_json; then
    skipped damage "this build has no JSON reader"
    finish
fi
corpus=$here/../../fuzz/corpus

# flip FILE OFFSET: the file with one bit changed, on standard output.
flip() {
    byte=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
    head -c "$2" "$1"
    printf "\\$(printf %o $((byte ^ 4)))"
    tail -c +$(($2 + 2)) "$1"
}

# refused NAME FILE COMMAND...: the folder "out" must stay empty.
refused() {
    name=$1 file=$2
    shift 2
    mkdir -p out
    expect "$name" 3 "$file" "$@"
    check "${name}_writes_nothing" test -z "$(ls -A out)"
    rm -rf out
}

# ---- weights ----
cp "$corpus/safetensors/two" good.safetensors
cp "$corpus/pt/module2.pt" good.pt
check safetensors_are_good "$RETORT" info good.safetensors
check pt_is_good "$RETORT" info good.pt
for good in good.safetensors good.pt; do
    kind=${good#good.}
    size=$(wc -c <$good)
    for part in 0 1 7 20 $((size / 2)) $((size - 1)); do
        head -c "$part" $good >bad.$kind
        refused "cut_${kind}_info_$part" bad.$kind "$RETORT" info bad.$kind
        refused "cut_${kind}_convert_$part" bad.$kind "$RETORT" convert bad.$kind out/new.safetensors --manifest out/m.json
    done
done
flip good.safetensors 9 >bad.safetensors
refused flipped_safetensors 'bad.safetensors: .*line 1' "$RETORT" convert bad.safetensors out/new.safetensors
flip good.pt $(($(wc -c <good.pt) - 22)) >bad.pt
refused flipped_pt bad.pt "$RETORT" convert bad.pt out/new.safetensors
printf '\377\377\377\377\377\377\377\177{}' >bad.safetensors
refused oversized_safetensors bad.safetensors "$RETORT" convert bad.safetensors out/new.safetensors
for seed in view-outside view-larger packed op-cut op-memo; do
    cp "$corpus/pt/$seed.pt" bad.pt
    refused "pt_$seed" bad.pt "$RETORT" convert bad.pt out/new.safetensors
done

# ---- JSON ----
echo '{"confidence": 0.5}' >frames.jsonl
head -c 12 frames.jsonl >bad.jsonl
refused cut_frames 'bad.jsonl:1' "$RETORT" select -c bad.jsonl -n 1 --rule n-first -o out/sel.jsonl
flip frames.jsonl 1 >bad.jsonl
refused flipped_frames 'bad.jsonl:1' "$RETORT" select -c bad.jsonl -n 1 --rule n-first -o out/sel.jsonl
head -c 1100000 /dev/zero | tr '\0' ' ' >bad.jsonl
refused oversized_frames 'bad.jsonl:1.*bytes' "$RETORT" select -c bad.jsonl -n 1 --rule n-first -o out/sel.jsonl
printf '{"width":4,"height":4,"detections":[{"class_id":2,"confidence":9,"box":[0,0,1,1]}]}\n' >bad.jsonl
refused wrong_frames 'bad.jsonl:1: confidence' "$RETORT" filter -f bad.jsonl -n 1 -r entropy -o out/f.jsonl
i=0
while [ $i -lt 70 ]; do printf '['; i=$((i + 1)); done >deep.json
refused nested_json 'deep.json: .*nested' "$RETORT" verify deep.json
refused cut_manifest 'bad.jsonl' "$RETORT" rerun --out out/again bad.jsonl
cp "$corpus/npy/two" good.npy
head -c 60 good.npy >bad.npy
refused cut_npy bad.npy "$RETORT" filter -e bad.npy -n 1 -o out/f.jsonl
flip good.npy 3 >bad.npy
refused flipped_npy 'bad.npy: byte 0' "$RETORT" filter -e bad.npy -n 1 -o out/f.jsonl
cp "$corpus/npy/room" bad.npy
refused oversized_npy 'bad.npy' "$RETORT" filter -e bad.npy -n 1 -o out/f.jsonl

# ---- pictures, labels, descriptions of data: behind a whole detector ----
weights=$here/../../weights/pico.safetensors
for seed in cut.jpg damaged.jpg huge.jpg zero.jpg crc.png cut.png huge.png over.png short.ppm number.ppm; do
    cp "$corpus/image/$seed" "bad-$seed"
    refused "picture_$seed" "bad-$seed" "$RETORT" detect -m "$weights" --labels out "bad-$seed"
done
head -c 500 "$weights" >bad.safetensors
refused cut_detector bad.safetensors "$RETORT" detect -m bad.safetensors --labels out "$corpus/image/colour.png"

mkdir -p set/images set/labels
cp "$corpus/image/colour.png" set/images/1.png
train() { "$RETORT" train -m "$weights" --data "$1" --out out/run --epochs 1 --size 32; }
for label in '0 0.5 0.5 0.1' '0 0.5 nan 0.1 0.1' '0 0.5 0.5 9 0.1' 'x 0.5 0.5 0.1 0.1' '-1 0.5 0.5 0.1 0.1'; do
    echo "$label" >set/labels/1.txt
    refused "label_$(echo "$label" | tr -c 'a-z0-9\n' _)" 'set/labels/1.txt:1' train set
    refused "eval_$(echo "$label" | tr -c 'a-z0-9\n' _)" 'set/labels/1.txt:1' "$RETORT" eval -m "$weights" -d set
done
head -c 2000 /dev/zero >set/labels/1.txt
refused label_of_zeros 'set/labels/1.txt:1' train set
printf 'names: [a, b\ntrain: set/images\nval: set/images\n' >data.yaml
refused broken_yaml 'data.yaml:1' train data.yaml
finish
