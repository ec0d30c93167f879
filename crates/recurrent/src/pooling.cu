// Max and mean of outputs `[rows, steps, width]` over each row's real steps, and the gradient.
//
// A row's first `lengths[row]` steps are real, all of them where `lengths` is null. What the outputs are pooled to,
// `[rows, parts * width]`, has the max first and the mean last; either may be missing. A block has one row and 32
// features, whose steps its lanes share.

#define LANES 16

// Of two NaNs, and of two equal numbers, neither is above the other.
__device__ bool is_above(float x, float max) { return x > max || (x != x && max == max); }

// `argmax [rows, width]`: the step of the maximum, -1 in a row without steps. A lane has steps in a row, and lanes are
// joined in order, so that the first of several maxima stays, and sums are the same every time.
extern "C" __global__ void pool(const float *outputs, float *pooled, int *argmax, const int *lengths, int steps,
                                int width, int has_max, int has_mean) {
    __shared__ float max_of[LANES][32], sum_of[LANES][32];
    __shared__ int step_of[LANES][32];
    const size_t row = blockIdx.x;
    const int feature = blockIdx.y * 32 + threadIdx.x, lane = threadIdx.y;
    const int length = lengths == nullptr ? steps : lengths[row];
    const int share = (length + LANES - 1) / LANES;
    const int first = lane * share, end = first + share < length ? first + share : length;
    float max = 0.0f, sum = 0.0f;
    int max_step = -1;
    if (feature < width) {
        const float *output = outputs + row * steps * width + feature;
#pragma unroll 4
        for (int step = first; step < end; step++) {
            const float x = output[(size_t)step * width];
            if (max_step < 0 || is_above(x, max)) {
                max = x;
                max_step = step;
            }
            sum += x;
        }
    }
    max_of[lane][threadIdx.x] = max;
    step_of[lane][threadIdx.x] = max_step;
    sum_of[lane][threadIdx.x] = sum;
    __syncthreads();
    if (lane > 0 || feature >= width) return;
    // The first lane has steps if any has.
    for (int other = 1; other < LANES; other++) {
        const float x = max_of[other][threadIdx.x];
        const int step = step_of[other][threadIdx.x];
        if (step >= 0 && is_above(x, max)) {
            max = x;
            max_step = step;
        }
        sum += sum_of[other][threadIdx.x];
    }
    float *to = pooled + row * (has_max + has_mean) * width + feature;
    if (has_max) {
        *to = max;
        argmax[row * width + feature] = max_step;
        to += width;
    }
    if (has_mean) *to = length > 0 ? sum / length : 0.0f;
}

// The gradient of the outputs, given that of what they are pooled to. It is 0 past a row's end.
extern "C" __global__ void pool_gradient(const float *d_pooled, float *d_outputs, const int *argmax,
                                         const int *lengths, int steps, int width, int has_max, int has_mean) {
    const size_t row = blockIdx.x;
    const int feature = blockIdx.y * 32 + threadIdx.x;
    if (feature >= width) return;
    const int length = lengths == nullptr ? steps : lengths[row];
    const float *from = d_pooled + row * (has_max + has_mean) * width + feature;
    const float d_max = has_max ? *from : 0.0f;
    const int max_step = has_max ? argmax[row * width + feature] : -1;
    const float d_mean = has_mean && length > 0 ? from[has_max ? width : 0] / length : 0.0f;
    float *to = d_outputs + row * steps * width + feature;
#pragma unroll 4
    for (int step = threadIdx.y; step < steps; step += LANES) {
        float d = step < length ? d_mean : 0.0f;
        if (step == max_step) d += d_max;
        to[(size_t)step * width] = d;
    }
}
