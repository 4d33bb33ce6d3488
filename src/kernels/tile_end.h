/* End of a tile template: forgets its macros and its parameters, so that the next one can be included. */
#undef TILE_DECLARE_1
#undef TILE_DECLARE
#undef TILE_POINTER
#undef TILE_LOAD
#undef TILE_WEIGHT
#undef TILE_FMA_1
#undef TILE_FMA
#undef TILE_STORE_1
#undef TILE_STORE
#undef TILE_FLUSH_1
#undef TILE_FLUSH
#undef MR
#undef NV
