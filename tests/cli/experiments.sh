# tools/experiments.py, shortened: a row and a manifest for each run, none of which is repeated.
. "$(dirname "$0")/check"
if ! has_json || ! command -v python3 >/dev/null; then
    skipped experiments "needs the JSON reader and Python 3"
    finish
fi
root=$here/../..
mkdir weights
cp "$root/weights/pico.safetensors" weights/
experiments() { RETORT=$RETORT python3 "$root/tools/experiments.py" --quick --cameras 7 --results rows.csv "$@"; }
check runs experiments --threads 3
check has_a_row_for_each_run test "$(wc -l <rows.csv)" = 4
check has_a_manifest_for_each_row test "$(wc -l <rows.jsonl)" = 3
cp rows.csv before.csv
check has_nothing_left_to_do experiments
check repeats_nothing cmp rows.csv before.csv
rm rows.csv rows.jsonl
check runs_elsewhere experiments --threads 1 --folder run/elsewhere
check gets_the_same_weights cmp rows.csv before.csv
sed -i 's/retort-world-[0-9]*/retort-world-0/' run/elsewhere/7/recipe.json
expect refuses_another_world 1 'or another world' experiments --folder run/elsewhere --results other.csv
printf ' ' >>weights/pico.safetensors
expect refuses_other_weights 1 'begun with other weights' experiments
expect leaves_out_absent_cameras 0 'camera 8701 not run' experiments --cameras 8701 --expressway absent
finish
