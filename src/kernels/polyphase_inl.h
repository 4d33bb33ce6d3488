/* The transforms of a 3x3 convolution of stride 2 in its polyphase form: differences of neighbours, along both axes.
 * docs/NUMERICS.md gives the order; vectors run over channels, so it does not depend on their width. */

/* The first less the middle, and the last less the middle. */
INLINE void polyphase_pair(vf *before, vf *after, vf first, vf middle, vf last)
{
    *before = vf_sub(first, middle);
    *after = vf_sub(last, middle);
}

static void polyphase_input(float *v, ptrdiff_t v_stride, const float *const *in, const float *const *ahead,
                            int channels)
{
    for (int c = 0; c < channels; c += VW, v += VW) {
        for (int k = 0; c % KERNEL_BLOCK == 0 && k < 25; k++) __builtin_prefetch(ahead[k] + c, 0, 2);
        vf a[5], d[5]; /* along each row */
        for (int r = 0; r < 5; r++) {
            const float *const *row = in + r * 5;
            polyphase_pair(a + r, d + r, vf_load(row[0] + c), vf_load(row[2] + c), vf_load(row[4] + c));
        }
        vf corner[4];
        polyphase_pair(corner, corner + 2, a[0], a[2], a[4]);
        polyphase_pair(corner + 1, corner + 3, d[0], d[2], d[4]);
        vf_store(v, corner[0]);
        vf_store(v + 3 * v_stride, corner[1]);
        vf_store(v + 5 * v_stride, corner[2]);
        vf_store(v + 8 * v_stride, corner[3]);
        static const int place[3] = {1, 2, 4};
        for (int k = 0; k < 3; k++) {
            vf before, after;
            polyphase_pair(&before, &after, vf_load(in[k + 1] + c), vf_load(in[k + 11] + c),
                           vf_load(in[k + 21] + c));
            vf_store(v + place[k] * v_stride, before);
            vf_store(v + (place[k] + 5) * v_stride, after);
            vf_store(v + (10 + 2 * k) * v_stride, a[k + 1]);
            vf_store(v + (11 + 2 * k) * v_stride, d[k + 1]);
        }
    }
}

static void polyphase_gradient(float *v, ptrdiff_t v_stride, const float *const *in, int channels)
{
    for (int c = 0; c < channels; c += VW, v += VW) {
        vf t[12], p[3], r[3];
        for (int i = 0; i < 3; i++)
            polyphase_pair(p + i, r + i, vf_load(in[3 * i] + c), vf_load(in[3 * i + 1] + c),
                           vf_load(in[3 * i + 2] + c));
        polyphase_pair(t, t + 2, p[0], p[1], p[2]);
        polyphase_pair(t + 1, t + 3, r[0], r[1], r[2]);
        for (int i = 0; i < 2; i++) {
            t[4 + 2 * i] = p[i];
            t[5 + 2 * i] = r[i];
            polyphase_pair(t + 8 + 2 * i, t + 9 + 2 * i, vf_load(in[i] + c), vf_load(in[3 + i] + c),
                           vf_load(in[6 + i] + c));
        }
        for (int k = 0; k < 12; k++) vf_store(v + k * v_stride, t[k]);
    }
}
