# retort select and retort filter, on streams made here.
. "$(dirname "$0")/check"
if ! has_json; then
    skipped select "this build has no JSON reader"
    finish
fi

# 40 frames: confidences 0.10, 0.27, 0.44, ... modulo 0.9; frame 3 has none.
i=0
while [ $i -lt 40 ]; do
    if [ $i -eq 3 ]; then c=null; else c=0.$(((i * 17) % 90 + 10)); fi
    echo "{\"file\": \"$i.jpg\", \"time\": $i, \"confidence\": $c}"
    i=$((i + 1))
done >conf.jsonl

run_select() { "$RETORT" select -c conf.jsonl -w 10 -a 0.3 -o sel.jsonl "$@"; }
expect select 0 '^4 of 40 frames selected, threshold 0\.' run_select -n 4
check selection_has_every_frame test "$(grep -c '"frame"' sel.jsonl)" -eq 40
check selection_names_files grep -q '"file":"0.jpg","time":0.*"reason":"warm-up"' sel.jsonl
check selection_explains_empty_frames grep -q '"3.jpg".*"reason":"no vehicle"' sel.jsonl
check selection_is_marked test "$(grep -c '"reason":"selected"' sel.jsonl)" -eq 4
expect select_json 0 '^{"frames":40,"selected":4,"incomplete":false,"relaxed":false,"threshold":0\.' \
    run_select -n 4 --json
expect select_too_many 0 'of the 39 frames wanted were found$' run_select -n 39
expect select_relaxed 0 'relaxed$' run_select -n 20 --at-end relax
expect select_interval 0 '^5 of 40' run_select -n 5 --rule interval
expect select_uniform 0 ' of 40 frames' run_select -n 5 --rule uniform --seed 7
expect select_short_name 0 '^4 of' run_select -n 4 --rule top_conf
expect select_bad_rule 2 'one of top-confidence, least-confidence, n-first, uniform, interval, chunk-diversity, found' \
    run_select -n 4 --rule best
expect select_nothing_given 2 '^retort: --count: is needed' "$RETORT" select
expect select_alpha_range 2 'alpha: expected a number in \[0, 1\]' run_select -n 4 --alpha 1.5
expect select_chunks_need_embeddings 2 'embeddings: is needed' run_select -n 4 --rule chunk-diversity
expect select_missing_file 3 'cannot open none.jsonl' "$RETORT" select -c none.jsonl -n 1 -o x.jsonl
expect select_from_a_folder 3 'is a folder' "$RETORT" select -c . -n 1 -o x.jsonl
: >empty.jsonl
expect select_empty_file 3 'empty.jsonl: expected a frame a line' "$RETORT" select -c empty.jsonl -n 1 -o x.jsonl
head -c 990 conf.jsonl >short.jsonl
expect select_truncated 3 'short.jsonl:[0-9]*' "$RETORT" select -c short.jsonl -n 1 -o x.jsonl
echo '{"confidence": -3}' >negative.jsonl
expect select_negative 3 'negative.jsonl:1: confidence: expected at least 0' "$RETORT" select -c negative.jsonl -n 1 -o x.jsonl
expect select_classes 2 '^retort: --classes: expected numbers below 65536' run_select -n 4 --classes cars
check nothing_half_written test ! -e x.jsonl
"$RETORT" select -c conf.jsonl -w 10 -n 4 -o /dev/full/x >output 2>&1
check select_cannot_write test $? -ge 3

# Detections as retort detect --json prints them: one, two and no vehicles, one person.
cat >found.jsonl <<'JSON'
{"file":"a.jpg","width":100,"height":50,"detections":[{"class_id":2,"class":"car","confidence":0.9,"box":[0,0,50,10]}]}
{"file":"b.jpg","width":100,"height":50,"detections":[{"class_id":2,"confidence":0.5,"box":[0,0,10,5]},{"class_id":7,"confidence":0.6,"box":[5,5,20,30]}]}
{"file":"c.jpg","width":100,"height":50,"detections":[]}
{"file":"d.jpg","width":100,"height":50,"detections":[{"class_id":0,"confidence":0.95,"box":[0,0,5,5]}]}
JSON
filter() { "$RETORT" filter -o kept.jsonl "$@"; }
kept() { grep '"reason":"selected"' kept.jsonl | sed 's/.*"file":"\(.\).*/\1/' | tr -d '\n'; }
expect filter_tfdp 0 '^4 candidates, 2 frames kept$' filter -f found.jsonl --rule tfdp -n 2
check tfdp_keeps_most_complex test "$(kept)" = ab
expect filter_least_confidence 0 '2 frames kept' filter -f found.jsonl --rule least-confidence -n 2
check people_are_no_vehicles test "$(kept)" = cd
expect filter_short_name 0 '2 frames kept' filter -f found.jsonl --rule least_conf -n 2
check short_name_is_the_same_rule test "$(kept)" = cd
expect filter_shorter_names 2 'embeddings: is needed by spherical-k-means' filter -f found.jsonl --rule spherical_kmeans -n 2
expect filter_all_classes 0 '2 frames kept' filter -f found.jsonl --rule least-confidence -n 2 --classes all
check all_classes_count test "$(kept)" = bc
expect filter_random 0 '^{"candidates":4,"kept":3}$' filter -f found.jsonl --rule random -n 3 --json
expect filter_too_few 3 '' filter -f found.jsonl --rule random -n 5
expect filter_allow_short 0 '4 frames kept' filter -f found.jsonl --rule random -n 5 --allow-short
expect filter_without_candidates 2 'expected candidates' filter --rule random -n 1
expect filter_needs_embeddings 2 'embeddings: is needed by farthest-first' filter -f found.jsonl -n 2
expect filter_needs_frames 2 'frames: is needed by tfdp' filter --rule tfdp -n 2
sed 's/"box":\[0,0,50,10\]/"box":[0,0,-5,10]/' found.jsonl >bad.jsonl
expect filter_bad_box 3 'bad.jsonl:1: box: expected' filter -f bad.jsonl --rule tfdp -n 2

# Four unit vectors in the plane: 0, 10, 90 and 180 degrees would do; exact here: (1,0) (1,0) (0,1) (-1,0).
matrix() { # floats as little-endian words in octal
    dictionary="{'descr': '<f4', 'fortran_order': False, 'shape': ($1, 2), }"
    printf '\223NUMPY\1\0'
    printf "\\$(printf %o ${#dictionary})\\0%s" "$dictionary"
    printf "$2"
}
one='\0\0\200\077' minus='\0\0\200\277' zero='\0\0\0\0'
matrix 4 "$one$zero$one$zero$zero$one$minus$zero" >e.npy
expect filter_farthest_first 0 '3 frames kept' filter -e e.npy -f found.jsonl -n 3
check farthest_first_leaves_the_duplicate test "$(kept)" = acd
expect filter_names_are_optional 0 '3 frames kept' filter -e e.npy -n 3
expect filter_by_selection 0 '^4 candidates, 2 frames kept' filter -e e.npy --selection sel.jsonl -n 2
check filtered_selection_keeps_all_frames test "$(grep -c '"frame"' kept.jsonl)" -eq 40
matrix 3 "$one$zero$one$zero$zero$one" >three.npy
expect filter_rows_must_match 3 'three.npy: expected a row for each of 40 frames or of 4 candidates, found 3' \
    filter -e three.npy --selection sel.jsonl -n 2
head -c 70 e.npy >short.npy
expect filter_truncated_embeddings 3 'short.npy: ' filter -e short.npy -n 1
expect filter_not_a_selection 3 'found.jsonl' filter -e e.npy --selection found.jsonl -n 1

check filter_with_manifest filter -e e.npy -f found.jsonl -n 3 --manifest m.json
expect filter_reruns 0 '^2 outputs compared, 0 different$' "$RETORT" rerun m.json -t 1
expect filter_verifies 0 '^3 files checked, 0 different$' "$RETORT" verify m.json
cat conf.jsonl | "$RETORT" select -c /dev/stdin -n 2 -w 5 -o piped.jsonl >output 2>&1
check select_from_a_pipe test $? -eq 0
cat conf.jsonl | "$RETORT" select -c /dev/stdin -n 2 -w 5 -o piped.jsonl --manifest p.json >refusal 2>&1
check no_manifest_of_a_pipe grep -q "is a pipe" refusal
finish
