// Sums vectors by the row that they belong to.

typedef unsigned int u32;

// Sums the vectors `order[starts[r]..starts[r + 1]]` of `vectors [tokens, width]` for each row r to `sums [rows, width]`.
// A block has one row and 32 columns; its 8 lanes take every eighth vector, and are added up in order, so that a sum is
// the same every time.
extern "C" __global__ void sum_by_row(const float *vectors, const u32 *order, const u32 *starts, float *sums, int width) {
    __shared__ float of_lane[8][33];
    const size_t row = blockIdx.x;
    const u32 start = starts[row], end = starts[row + 1];
    const int column = blockIdx.y * 32 + threadIdx.x;
    float sum = 0.0f;
    if (column < width) {
#pragma unroll 8
        for (u32 i = start + threadIdx.y; i < end; i += 8) sum += vectors[(size_t)order[i] * width + column];
    }
    of_lane[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && column < width) {
#pragma unroll
        for (int lane = 1; lane < 8; lane++) sum += of_lane[lane][threadIdx.x];
        sums[row * width + column] = sum;
    }
}
