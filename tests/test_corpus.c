/* Every parser's fuzz harness over its committed corpus: whole, cut short and damaged. */
#include "check.h"
#include "check_corpus.h"

/* Each harness under a name of its own. */
#define LLVMFuzzerTestOneInput fuzz_answer
#include "../fuzz/fuzz_answer.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_checkpoint
#include "../fuzz/fuzz_checkpoint.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_frame_lines
#include "../fuzz/fuzz_frame_lines.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_image
#include "../fuzz/fuzz_image.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_json
#include "../fuzz/fuzz_json.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_labels
#include "../fuzz/fuzz_labels.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_ledger
#include "../fuzz/fuzz_ledger.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_manifest
#include "../fuzz/fuzz_manifest.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_npy
#include "../fuzz/fuzz_npy.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_options
#include "../fuzz/fuzz_options.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_pretrain_state
#include "../fuzz/fuzz_pretrain_state.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_pt
#include "../fuzz/fuzz_pt.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_safetensors
#include "../fuzz/fuzz_safetensors.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_select_state
#include "../fuzz/fuzz_select_state.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_source_list
#include "../fuzz/fuzz_source_list.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_train_log
#include "../fuzz/fuzz_train_log.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_y4m
#include "../fuzz/fuzz_y4m.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_yaml
#include "../fuzz/fuzz_yaml.c"
#undef LLVMFuzzerTestOneInput

#define PARSER(name)                                                                                         \
    static void corpus_of_##name(void **state)                                                               \
    {                                                                                                        \
        (void)state;                                                                                         \
        check_corpus(#name, fuzz_##name);                                                                    \
    }
PARSER(answer)
PARSER(checkpoint)
PARSER(frame_lines)
PARSER(image)
PARSER(json)
PARSER(labels)
PARSER(ledger)
PARSER(manifest)
PARSER(npy)
PARSER(options)
PARSER(pretrain_state)
PARSER(pt)
PARSER(safetensors)
PARSER(select_state)
PARSER(source_list)
PARSER(train_log)
PARSER(y4m)
PARSER(yaml)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(corpus_of_answer),
        cmocka_unit_test(corpus_of_checkpoint),
        cmocka_unit_test(corpus_of_frame_lines),
        cmocka_unit_test(corpus_of_image),
        cmocka_unit_test(corpus_of_json),
        cmocka_unit_test(corpus_of_labels),
        cmocka_unit_test(corpus_of_ledger),
        cmocka_unit_test(corpus_of_manifest),
        cmocka_unit_test(corpus_of_npy),
        cmocka_unit_test(corpus_of_options),
        cmocka_unit_test(corpus_of_pretrain_state),
        cmocka_unit_test(corpus_of_pt),
        cmocka_unit_test(corpus_of_safetensors),
        cmocka_unit_test(corpus_of_select_state),
        cmocka_unit_test(corpus_of_source_list),
        cmocka_unit_test(corpus_of_train_log),
        cmocka_unit_test(corpus_of_y4m),
        cmocka_unit_test(corpus_of_yaml),
    };
    return cmocka_run_group_tests_name("corpus", tests, NULL, NULL);
}
