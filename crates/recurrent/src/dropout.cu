// Dropout whose masks are words of a ChaCha stream with 8 rounds (Bernstein 2008, "ChaCha, a variant of Salsa20"), with
// a 64-bit block counter and stream 0, as the CPU draws them.

typedef unsigned int u32;
typedef unsigned long long u64;

__device__ u32 turned(u32 x, int n) { return (x << n) | (x >> (32 - n)); }

#define QUARTER(a, b, c, d)          \
    a += b, d = turned(d ^ a, 16);   \
    c += d, b = turned(b ^ c, 12);   \
    a += b, d = turned(d ^ a, 8);    \
    c += d, b = turned(b ^ c, 7)

// Number i of `from` is kept if word `first + i` of the stream is at least `least` without its lowest 8 bits; a thread
// has a block of 16 words.
extern "C" __global__ void chacha8_dropout(const float *from, float *to, u64 n, u64 first, u32 least, float scale,
                                           u32 k0, u32 k1, u32 k2, u32 k3, u32 k4, u32 k5, u32 k6, u32 k7) {
    const u64 block = first / 16 + (u64)blockIdx.x * blockDim.x + threadIdx.x;
    if (block * 16 >= first + n) return;
    const u32 start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, k0, k1, k2, k3, k4, k5, k6, k7,
                           (u32)block, (u32)(block >> 32), 0, 0};
    u32 x[16];
#pragma unroll
    for (int i = 0; i < 16; i++) x[i] = start[i];
#pragma unroll
    for (int i = 0; i < 4; i++) {
        QUARTER(x[0], x[4], x[8], x[12]);
        QUARTER(x[1], x[5], x[9], x[13]);
        QUARTER(x[2], x[6], x[10], x[14]);
        QUARTER(x[3], x[7], x[11], x[15]);
        QUARTER(x[0], x[5], x[10], x[15]);
        QUARTER(x[1], x[6], x[11], x[12]);
        QUARTER(x[2], x[7], x[8], x[13]);
        QUARTER(x[3], x[4], x[9], x[14]);
    }
#pragma unroll
    for (int i = 0; i < 16; i++) {
        const u64 word = block * 16 + i;
        if (word < first || word >= first + n) continue;
        const bool is_kept = ((x[i] + start[i]) >> 8) >= least;
        to[word - first] = is_kept ? from[word - first] * scale : 0.0f;
    }
}
