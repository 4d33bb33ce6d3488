/* Boxes of two and of four views fused: crowds of three classes around nine places. */
#include "golden.h"

#include "base/rng.h"
#include "detect/fuse.h"

#include <stdio.h>

enum { BOXES = 60 };

static void draw_view(struct detection found[BOXES], uint64_t view)
{
    const uint64_t key = rng_step(rng_key(5, "golden fuse"), view);
    for (uint64_t i = 0; i < BOXES; i++) {
        float u[6];
        for (uint64_t k = 0; k < 6; k++) u[k] = (float)(rng_u64(key, 8 * i + k) >> 40) * 0x1p-24f;
        const int place = rng_int(key, 8 * i + 6, 9);
        const float x = (float)(place % 3 * 50) + 16 * u[0], y = (float)(place / 3 * 40) + 16 * u[1];
        /* Sixteen levels of confidence, so that there are ties. */
        found[i] = (struct detection){{x, y, x + 40 + 16 * u[2], y + 32 + 16 * u[3]},
                                      (float)(1 + (int)(16 * u[4])) / 16,
                                      (int)(3 * u[5]),
                                      -1};
    }
}

void golden_fuse(struct golden *golden)
{
    static struct fuse fuse;
    for (int views = 2; views <= FUSE_MAX_VIEWS; views += 2) {
        struct detection found[BOXES], fused[NMS_MAX_DETECTIONS];
        char stage[64];
        fuse_begin(&fuse);
        for (int view = 0; view < views; view++) {
            draw_view(found, (uint64_t)view);
            fuse_offer(&fuse, found, BOXES);
        }
        const int count = fuse_run(&fuse, 0.125f, fused);
        snprintf(stage, sizeof stage, "fuse.%d-views", views);
        golden_emit_bytes(golden, stage, fused, (size_t)count * sizeof *fused);
    }
}
