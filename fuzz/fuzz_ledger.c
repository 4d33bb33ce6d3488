/* The selection ledger reader on any bytes. */
/* Parser: src/select/ledger.c -ledger_explain -ledger_write -ledger_read */
/* Parser: -ledger_reason_name -put_row -put_number -refusal -by_confidence */
#include "select/ledger.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct ledger ledger;
    struct error err;
    ledger_parse(&ledger, data, size, "input", &arena, &err);
    arena_free(&arena);
    return 0;
}
