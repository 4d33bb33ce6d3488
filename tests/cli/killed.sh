# train and distill killed in the middle go on under another instruction set and number of threads to the same bits.
. "$(dirname "$0")/check"
if ! has_json; then
    skipped killed "this build has no JSON reader"
    finish
fi

# killed JOB CHECKPOINT COMMAND...: kills it once the checkpoint is there, then goes on. It gets more to do where it was
# over before that.
killed() {
    job=$1 checkpoint=$2
    shift 2
    for epochs in 12 48 192; do
        rm -rf "$job"
        "$@" --epochs $epochs --out "$job" >output 2>&1 &
        process=$!
        while kill -0 $process 2>/dev/null && ! [ -e "$job/$checkpoint" ]; do sleep 0.02; done
        { kill -9 $process && wait $process; } 2>/dev/null
        [ -e "$job/weights.safetensors" ] || break
    done
    set -- "$@" --epochs $epochs
    check "${job}_is_killed" test -e "$job/$checkpoint" -a ! -e "$job/weights.safetensors"
    check "${job}_in_one_go" "$@" --out whole-"$job"
    check "${job}_goes_on" elsewhere "$@" --threads 3 --resume --out "$job"
    check "${job}_has_the_same_weights" cmp "$job/weights.safetensors" "whole-$job/weights.safetensors"
    check "${job}_has_the_same_log" cmp "$job/${checkpoint%checkpoint*}train.jsonl" \
        "whole-$job/${checkpoint%checkpoint*}train.jsonl"
}
check frames "$RETORT" world -q --seed 7 --frames 8 --size 160x96 --hours 8-12 --out day
check student "$RETORT" train -q --scale pico --data day/data.yaml --size 64 -E 1 --out student
set -- --size 64 --batch 4 --checkpoint-every 1 --threads 1
killed train checkpoint.safetensors "$RETORT" train -q -m student/weights.safetensors -d day --val day "$@"
killed distill train/checkpoint.safetensors "$RETORT" distill -q -m student/weights.safetensors \
    --teacher-labels day/labels --label-classes 0,1,2,3,5,7 -f day/images --select all --budget 8 --val none "$@"
finish
