# retort train: mistakes on the command line and in the data, before anything is trained.
. "$(dirname "$0")/check"

expect help 0 '^  -E, --epochs' "$RETORT" train --help
expect needs_its_files 2 'data' "$RETORT" train --model x --out run
expect bad_number 2 'epochs.*"many"' "$RETORT" train -m x -d y -o run --epochs many
printf 'not weights' >bad.safetensors
mkdir -p set/images set/labels
printf 'P6\n2 2\n255\n012345678901' >set/images/1.ppm
expect size_is_a_multiple_of_32 2 'multiple of 32, found 100' "$RETORT" train -m bad.safetensors -d set -o run --size 100
expect parts_are_powers_of_two 2 'micro-batch: expected a power of two, found 3' \
    "$RETORT" train -m bad.safetensors -d set -o run --frozen-norm --micro-batch 3
expect parts_need_frozen_norms 2 'micro-batch goes with --frozen-norm' \
    "$RETORT" train -m bad.safetensors -d set -o run --micro-batch 2
expect missing_data 3 'nowhere' "$RETORT" train -m bad.safetensors -d nowhere -o run
expect weights_are_checked 3 'bad.safetensors' "$RETORT" train -m bad.safetensors -d set -o run
finish
