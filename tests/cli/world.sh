# retort world: its files, their agreement, refusals.
. "$(dirname "$0")/check"

expect world_needs_an_output 2 'expected --out, or --y4m' "$RETORT" world -n 2
expect world_bad_hours 2 '^retort: --hours: expected two rising times' "$RETORT" world --hours 9-7 -o w
expect world_bad_start 2 '^retort: --start: expected a time' "$RETORT" world --start 25:00 -o w
expect world_starts_before_midnight 2 '^retort: --start: expected a time' "$RETORT" world --start 24:00 -o w
expect world_bad_size 2 'size' "$RETORT" world --size 10x10 -o w
expect world_masks_need_out 2 'need --out' "$RETORT" world --y4m --masks

small="$RETORT world --seed 4 --frames 3 --size 160x90 --start 8 --masks"
if "$RETORT" world -n 1 --size 64 -o probe 2>&1 | grep -q 'no .* library'; then
    skipped world_files "this build has no JPEG library"
else
    expect world_files 0 '^junction: 3 frames, ' $small -o one --threads 1
    expect world_late 0 '^[a-z]*: 1 frame,' "$RETORT" world -n 1 --size 160x96 --start 23:59 -o late
    expect world_late_hours 0 '^[a-z]*: 1 frame,' "$RETORT" world -n 1 --size 160x96 --hours 23:30-48 -o hours
    expect world_again 0 '^junction: 3 frames, ' $small -o one --threads 2
    expect world_verifies 0 ' 0 different$' "$RETORT" verify one/manifest.json
    expect world_threads 0 '^junction' $small -o two --threads 3
    check world_same_bytes diff -r -x manifest.json one two
    expect world_refuses_to_mix 2 'holds another world' $small --quality 50 -o one
    expect world_json 0 '"place":"junction","frames":3,' $small --json -o one
    check world_counts test "$(cat one/images/* | wc -c)" -gt 3000 -a "$(ls one/labels one/masks | grep -c '^00')" -eq 6
    check world_truth_lines test "$(wc -l <one/truth.jsonl)" -eq 3
    check world_coco_matches_labels test "$(grep -o '"bbox"' one/coco.json | wc -l)" -eq "$(cat one/labels/* | wc -l)"
fi
expect world_labels_only 0 '^junction' "$RETORT" world -s 4 -n 2 --size 160x90 --no-images -o bare
check world_no_images test ! -e bare/images
expect world_video 0 '^junction' "$RETORT" world -s 4 -n 2 --size 160x90 --y4m -o film
"$RETORT" world -s 4 -n 2 --size 160x90 --y4m -q >film.y4m
check world_video_on_standard_output cmp film.y4m film/video.y4m
expect world_pipe_has_no_manifest 2 'manifest need --out' "$RETORT" world -n 2 --size 160x90 --y4m --manifest m.json
check world_video_size test "$(wc -c <film.y4m)" -eq $((47 + 2 * (6 + 160 * 90 * 3 / 2)))
# What a kill leaves behind is no part of the world.
: >film/.video.y4m.aB3dE6
check world_made_whole "$RETORT" world -s 4 -n 2 --size 160x90 --y4m -q -o film
has_json && expect world_leftover_is_not_counted 0 ' 0 different' "$RETORT" rerun -q film/manifest.json
finish
