# Manifests: verify and rerun, good and bad. The help command prints without times, so it can be repeated.
. "$(dirname "$0")/check"
if ! has_json; then
    skipped manifest "this build has no JSON reader"
    finish
fi

expect missing 3 'cannot open nowhere.json: No such' "$RETORT" verify nowhere.json
: >empty.json
expect empty_file 3 'empty.json: line 1' "$RETORT" verify empty.json
echo '[1, 2]' >list.json
expect not_an_object 3 'list.json: retort, command: expected' "$RETORT" verify list.json

check write_manifest "$RETORT" help verify --manifest m.json
head -c 200 m.json >short.json
expect truncated 3 'short.json: line' "$RETORT" verify short.json
check verify "$RETORT" verify m.json
check rerun "$RETORT" rerun m.json
expect rerun_json 0 '^{"compared":1,"different":0}$' "$RETORT" rerun --json m.json
expect rerun_other_threads 0 ' 0 different' "$RETORT" rerun -t 3 m.json
"$RETORT" help --manifest nowhere/m.json >said 2>output
check manifest_cannot_be_written test $? -eq 3 -a ! -s said
mkdir folder
expect folder_in_a_files_place 3 'folder: is a folder, expected a file' "$RETORT" help --manifest folder

sed 's/"stdout": {\(.*\)"sha256": "......../"stdout": {\1"sha256": "00000000/' m.json >other.json
expect rerun_finds_a_difference 1 'standard output: sha256' "$RETORT" rerun other.json
sed 's/"sha256": "..../"sha256": "xyzw/' m.json >hash.json
expect hash_not_hexadecimal 3 'sha256: expected 64 hexadecimal' "$RETORT" verify hash.json
sed 's/"command": "help"/"command": "rerun"/' m.json >loop.json
expect rerun_of_rerun 3 'expected a command of retort' "$RETORT" rerun loop.json
sed 's/"man": false/"man": 7/' m.json >type.json
expect option_of_wrong_type 3 '"man": expected true or false' "$RETORT" rerun type.json
sed 's/"man": false/"mann": false/' m.json >name.json
expect option_unknown 3 'option mann: unknown' "$RETORT" rerun name.json
check nothing_left_behind sh -c '! ls | grep "\.json\."'

# Results printed as JSON are repeated as JSON; a choice that was not given (--scale) stays so.
check json_manifest "$RETORT" verify --json m.json --manifest j.json
check json_is_noted grep -q '"stdout": {"json": true, ' j.json
expect rerun_prints_json_again 0 ' 0 different' "$RETORT" rerun j.json
check world "$RETORT" world -q --seed 7 --frames 2 --size 160x96 --hours 8-9 --out day
check train "$RETORT" train -q --scale pico -d day/data.yaml --size 64 -E 1 --out first
check train_on "$RETORT" train -q -m first/weights.safetensors -d day --size 64 -E 1 --out second
check pictures_are_inputs grep -q '"path": "day/images"' first/manifest.json
check labels_are_inputs grep -q '"path": "day/labels"' first/manifest.json
cp day/labels/000001.txt kept.txt
echo '2 0.5 0.5 0.25 0.25' >>day/labels/000001.txt
expect verify_finds_another_label 1 '^day/labels/000001.txt: sha256' "$RETORT" verify first/manifest.json
mv kept.txt day/labels/000001.txt
expect rerun_of_training 0 ' 0 different' "$RETORT" rerun second/manifest.json

# What version 0.1 called fast is repeated by fast-0.1, checkpoint and all. The manifest that the run writes in its
# folder says by what it ran.
check train_as_version_0_1 \
    "$RETORT" train -q -m first/weights.safetensors -d day --size 64 -E 1 --plan fast-0.1 --out third
of_version() { # VERSION PLAN
    sed -e "s/\"retort\": .*/\"retort\": \"$1\",/" -e "s/\"plan\": .*/\"plan\": \"$2\",/" third/manifest.json >old.json
    rm -rf kept
}
runs_by() { grep -c "\"plan\": \"$1\"" kept/1-third/manifest.json; }
of_version 0.1.0 fast
expect rerun_says_its_plan 0 '^retort: the manifest is of version 0.1.0: its plan fast is now fast-0.1$' \
    "$RETORT" rerun --out kept old.json
check rerun_runs_by_it test "$(runs_by fast-0.1)" = 2
of_version 0.1.12 fast
expect rerun_is_quiet 0 ' 0 different' "$RETORT" rerun -q --out kept old.json
check rerun_says_nothing_then test "$(wc -l <output)" -eq 1
check rerun_quietly_runs_by_it test "$(runs_by fast-0.1)" = 2
of_version 0.1.0 exact
"$RETORT" rerun -q --out kept old.json >output 2>&1
check other_plans_stay test "$(runs_by exact)" = 2
for version in 0.2.0 0.10.0 0.1 0.1. 0.1.x 0.1.0-x 0.1.0.0 0.1.-1 0.11.0 10.1.0 1.0.1 ' 0.1.0' '0.1.0 ' ''; do
    of_version "$version" fast
    "$RETORT" rerun --out kept old.json >output 2>&1
    check "of_version_'$version'_it_is_fast" test "$(runs_by fast)" = 2
    check "of_version_'$version'_nothing_is_said" sh -c '! grep fast-0.1 output'
done

# Pictures that a list names are inputs, each once; what is not there is passed over.
printf 'day/images/000001.jpg\nday/images/000000.jpg\nday/images/000001.jpg\n' >named.txt
check list_of_pictures "$RETORT" detect -q -m first/weights.safetensors --size 64 -f named.txt --manifest named.json
check its_pictures_are_inputs test "$(grep -c '"path": "day/images/' named.json)" = 2
expect verify_counts_its_pictures 0 '^4 files checked, 0 different' "$RETORT" verify named.json
cp day/images/000001.jpg kept.jpg
cp day/images/000000.jpg day/images/000001.jpg
expect verify_finds_another_picture 1 '^day/images/000001.jpg: sha256' "$RETORT" verify named.json
mv kept.jpg day/images/000001.jpg
expect rerun_of_a_list 0 ' 0 different' "$RETORT" rerun named.json
printf 'day/images/000000.jpg\nabsent.jpg\nday\n' >partly.txt
: >empty.txt
"$RETORT" detect -q -m first/weights.safetensors --size 64 partly.txt empty.txt --manifest partly.json >/dev/null 2>&1
check what_is_passed_over_is_left_out test "$(grep -c '"path": "day/images/' partly.json)" = 1

# So is what cannot be read in a folder; no pipe is opened that the user did not name.
mkdir live live/closed
cp day/images/000000.jpg live/1.jpg
cp day/images/000000.jpg live/2.jpg
ln -s nowhere live/3.jpg
mkfifo live/pipe
chmod 0 live/2.jpg live/closed
"$RETORT" detect -q -m first/weights.safetensors --size 64 -f live --manifest live.json >/dev/null 2>&1
check folder_of_a_camera_has_its_manifest grep -q '"path": "1.jpg"' live.json
check what_leads_nowhere_is_left_out sh -c '! grep "3.jpg\|pipe" live.json'
expect verify_passes_over_it 0 ' 0 different' "$RETORT" verify live.json
chmod 700 live/closed
expect pipe_by_name 3 'live/pipe: is a pipe or a device' "$RETORT" detect -m live/pipe --manifest pipe.json -f live

# A camera may write while the command runs: inputs are what was there before.
cat >teacher.sh <<'T'
while read -r path; do
    cp day/images/000001.jpg busy/later.jpg
    echo "{\"file\": \"$path\", \"width\": 160, \"height\": 96, \"detections\": []}"
done
T
mkdir busy
cp day/images/000000.jpg busy/1.jpg
expect camera_that_writes 0 '^1 frame, ' "$RETORT" label --teacher-command 'sh teacher.sh' -f busy -o labelled
check later_frames_are_no_inputs sh -c 'test -s busy/later.jpg && ! grep later.jpg labelled/manifest.json'
check frames_are_an_input grep -q '"role": "--frames"' labelled/manifest.json
piped() { "$RETORT" label --teacher-command 'sh teacher.sh' -f - -o piped <day/images/000000.jpg; }
expect standard_input 0 '^1 frame, ' piped
check standard_input_is_none sh -c 'test -s piped/manifest.json && ! grep -e --frames piped/manifest.json'

# A large folder is one line.
mkdir many many/inner
i=0
while [ $i -lt 1001 ]; do
    : >many/inner/$i.jpg
    i=$((i + 1))
done
cp day/images/000000.jpg many/
"$RETORT" detect -q -m first/weights.safetensors --labels found --size 64 many --manifest many.json >/dev/null 2>&1
check large_folder_is_summed_up grep -q '"path": "many", "file_count": 1002, "bytes": [1-9]' many.json
expect verify_counts_its_files 0 '^1004 files checked, 0 different' "$RETORT" verify many.json
echo x >>many/inner/7.jpg
expect verify_finds_it_changed 1 '^many: sha256' "$RETORT" verify many.json
rm many/inner/7.jpg
expect verify_finds_one_gone 1 '^many: 1001 files, expected 1002' "$RETORT" verify many.json

# verify as the repeated command: it has an input.
check manifest_with_an_input "$RETORT" verify m.json --manifest v.json
check rerun_with_an_input "$RETORT" rerun --out kept v.json
expect verify_lists_inputs 0 '^1 file checked, 0 different$' "$RETORT" verify v.json
echo >>m.json
expect verify_finds_the_change 1 '^m.json: sha256 .*, expected' "$RETORT" verify v.json
expect rerun_refuses_other_input 1 'the input is not the one of the manifest: m.json' "$RETORT" rerun v.json
rm m.json
expect verify_finds_the_loss 1 '^m.json: cannot open' "$RETORT" verify v.json
expect verify_json 1 '"different":1,"differences":"m.json' "$RETORT" verify --json v.json
finish
