#!/bin/sh
# The demo of an expressway names what is missing in one line, and builds its command from the camera table.
. tests/report.sh
work=$(mktemp -d) || exit 4
trap 'rm -rf "$work"' EXIT
demo=$(pwd)/tools/demo_expressway.sh
cd "$work" || exit 4

RETORT_SHARED=absent sh "$demo" >out 2>err
status=$?
found=
if [ $status -ne 3 ] || [ "$(wc -l <err)" -ne 1 ] || [ -s out ]; then found="status $status: $(cat out err)"; fi
report demo_names_missing_files "$found"

mkdir -p shared/weights shared/data/expressway/cam7/images shared/data/expressway/cam7/labels
: >shared/weights/yolo11n-coco.safetensors
for i in 1 2 3 4 5; do : >shared/data/expressway/cam7/images/$i.jpg && : >shared/data/expressway/cam7/labels/$i.txt; done
printf 'camera,size,p5_box_top_y_px,car\n70,640x360,11,1\n7,640x360,123,4\n' >shared/data/expressway/cameras.csv
command=$(RETORT_SHARED=shared sh "$demo" --dry-run 7 2>&1)
found=$command
case $command in *"distill --student shared/weights/yolo11n-coco.safetensors "*" --ignore-above 123 "*) found= ;; esac
report demo_reads_the_camera_table "$found"

kept=$(cd run/expressway-7/data && find . -name '*.jpg' -o -name '*.txt' | sort | tr '\n' ' ')
found="kept $kept"
if [ "$kept" = "./pool/images/2.jpg ./pool/images/3.jpg ./pool/images/5.jpg ./pool/labels/2.txt ./pool/labels/3.txt \
./pool/labels/5.txt ./test/images/1.jpg ./test/images/4.jpg ./test/labels/1.txt ./test/labels/4.txt " ]; then found=; fi
report demo_keeps_every_third_frame_for_scoring "$found"

RETORT_SHARED=shared sh "$demo" --dry-run 8 >out 2>err
status=$?
found=
if [ $status -ne 3 ]; then found="status $status: $(cat out err)"; fi
report demo_unknown_camera "$found"
exit $failed
