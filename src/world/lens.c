#include "world/lens.h"

#include <assert.h>

int lens_ground_polygon(const struct lens *lens, const double (*ground)[2], int n, double (*out)[2])
{
    assert(n <= LENS_MAX_CORNERS - 8);
    int count = 0;
    for (int i = 0; i < n; i++) {
        const int j = (i + 1) % n;
        const struct point a = lens_turn(lens, (struct point){ground[i][0], ground[i][1], 0});
        const struct point b = lens_turn(lens, (struct point){ground[j][0], ground[j][1], 0});
        const bool a_in = a.z >= LENS_NEAR, b_in = b.z >= LENS_NEAR;
        if (a_in) {
            const struct point p = lens_project(lens, a);
            out[count][0] = p.x;
            out[count++][1] = p.y;
        }
        if (a_in == b_in) continue;
        const double t = (LENS_NEAR - a.z) / (b.z - a.z);
        const struct point cut = {a.x + (b.x - a.x) * t, a.y + (b.y - a.y) * t, LENS_NEAR};
        const struct point p = lens_project(lens, cut);
        out[count][0] = p.x;
        out[count++][1] = p.y;
        assert(count <= LENS_MAX_CORNERS);
    }
    return count;
}
