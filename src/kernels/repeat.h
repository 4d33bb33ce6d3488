/* Token repetition for register tiles. Named variables a0_0, a0_1, ... stay in registers with gcc and clang
 * alike; an accumulator array does not (clang 14 keeps part of it on the stack, at less than half the speed).
 *
 * With MR 2 and NV 2, ROWS(X) is X(0) X(1), and COLS(F, m) is F(m, 0) F(m, 1). */
#define REPEAT_CAT_(a, b) a##b
#define REPEAT_CAT(a, b) REPEAT_CAT_(a, b)
#define ROWS_1(X) X(0)
#define ROWS_2(X) ROWS_1(X) X(1)
#define ROWS_3(X) ROWS_2(X) X(2)
#define ROWS_4(X) ROWS_3(X) X(3)
#define ROWS_5(X) ROWS_4(X) X(4)
#define ROWS_6(X) ROWS_5(X) X(5)
#define ROWS_7(X) ROWS_6(X) X(6)
#define ROWS_8(X) ROWS_7(X) X(7)
#define ROWS_9(X) ROWS_8(X) X(8)
#define ROWS_10(X) ROWS_9(X) X(9)
#define ROWS_12(X) ROWS_10(X) X(10) X(11)
#define COLS_1(F, m) F(m, 0)
#define COLS_2(F, m) COLS_1(F, m) F(m, 1)
#define COLS_3(F, m) COLS_2(F, m) F(m, 2)
#define COLS_4(F, m) COLS_3(F, m) F(m, 3)
#define COLS_5(F, m) COLS_4(F, m) F(m, 4)
#define COLS_8(F, m) COLS_5(F, m) F(m, 5) F(m, 6) F(m, 7)
#define ROWS(X) REPEAT_CAT(ROWS_, MR)(X)
#define COLS(F, m) REPEAT_CAT(COLS_, NV)(F, m)

/* TILE_NAME(conv_tile, MR, NV) is conv_tile_2x2. */
#define TILE_NAME_CAT(prefix, rows, vectors) prefix##_##rows##x##vectors
#define TILE_NAME(prefix, rows, vectors) TILE_NAME_CAT(prefix, rows, vectors)
