/* Keeps a call off the pages of the image.
 *
 * Every page that a call writes to is copied once and put back afterwards; with a program of one
 * line that was most of the cost. So while the runtime is built all objects go to one heap, which
 * is sealed at the end:
 *
 *   image_heap │ objects of the image           │ sealed: never freed, counts not written
 *   nursery    │ an empty arena for each size   │ what a call allocates first
 *              │ larger blocks, one by one      │
 *   libc       │ …                              │ what it allocates when the nursery is full
 *
 * Objects of the image share one reference count: going up and down with every use, it never
 * comes near zero, and it is one word instead of a word on every page. (build.sh points the
 * engine's macro `JS_REF_COUNT` here.) The collector does not walk the image either: what only
 * the image refers to counts as alive until the call ends.
 */
#ifndef LAZARET_IMAGE_H
#define LAZARET_IMAGE_H

#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Twice of what the prelude needs; the build traps if it becomes too small. */
#define IMAGE_HEAP_BYTES (2 * 1024 * 1024)

/* Holds the arenas (31 of 4 KiB) and the larger blocks of a common program. */
#define NURSERY_BYTES (256 * 1024)

/* The shared count begins here: a call can neither hold nor drop as many references. */
#define IMAGE_COUNT (1 << 29)

static uint8_t image_heap[IMAGE_HEAP_BYTES] __attribute__((aligned(4096)));
static uint8_t *image_at = image_heap;
static uint8_t nursery[NURSERY_BYTES] __attribute__((aligned(4096)));
static uint8_t *nursery_at = nursery;
static int image_count = IMAGE_COUNT;

/* How much of `image_heap` is sealed: all of it, or nothing while it is built. */
static size_t sealed_bytes;

/* Set when memory was refused; never cleared, as an image lives for one call. */
static bool memory_was_refused;

static inline bool is_sealed(const void *at)
{
    return (size_t)((uintptr_t)at - (uintptr_t)image_heap) < sealed_bytes;
}

static bool is_of_image(const void *at)
{
    return (size_t)((uintptr_t)at - (uintptr_t)image_heap) < IMAGE_HEAP_BYTES;
}

static bool is_of_nursery(const void *at)
{
    return (size_t)((uintptr_t)at - (uintptr_t)nursery) < NURSERY_BYTES;
}

/* A block of either has its size in the eight bytes before it. */
static size_t block_size(const void *block)
{
    return ((const uint64_t *)block)[-1];
}

/* The next `size` bytes of a heap, or NULL. */
static void *take(uint8_t **at, const uint8_t *end, size_t size)
{
    size_t room = ((size + 7) & ~(size_t)7) + 8;
    if (size > NURSERY_BYTES || room > (size_t)(end - *at))
        return NULL;
    uint8_t *block = *at + 8;
    ((uint64_t *)block)[-1] = room - 8;
    *at += room;
    return block;
}

/* Free blocks of the image by the power of two that holds them, while it is built. */
static void *free_blocks[32];

static unsigned power_of(size_t size)
{
    return size <= 16 ? 4 : 32 - __builtin_clz((uint32_t)size - 1);
}

static void *build_malloc(size_t size)
{
    unsigned power = power_of(size);
    void **block = free_blocks[power];
    if (block) {
        free_blocks[power] = *block;
        return block;
    }
    block = take(&image_at, image_heap + IMAGE_HEAP_BYTES, (size_t)1 << power);
    if (!block)
        __builtin_trap();
    return block;
}

static void build_free(void *block)
{
    unsigned power = power_of(block_size(block));
    *(void **)block = free_blocks[power];
    free_blocks[power] = block;
}

static void *image_malloc(void *opaque, size_t size)
{
    if (!sealed_bytes)
        return build_malloc(size);
    void *block = take(&nursery_at, nursery + NURSERY_BYTES, size);
    if (!block)
        block = malloc(size);
    memory_was_refused |= !block;
    return block;
}

static void *image_calloc(void *opaque, size_t count, size_t size)
{
    void *block = image_malloc(opaque, count * size);
    return block ? memset(block, 0, count * size) : NULL;
}

/* The last block of the nursery is taken back; its others stay until the call ends. */
static void image_free(void *opaque, void *block)
{
    if (is_of_nursery(block)) {
        if ((uint8_t *)block + block_size(block) == nursery_at)
            nursery_at = (uint8_t *)block - 8;
    } else if (!is_of_image(block)) {
        free(block);
    } else if (!sealed_bytes) {
        build_free(block);
    }
}

static void *image_realloc(void *opaque, void *block, size_t size)
{
    if (!is_of_nursery(block) && !is_of_image(block)) {
        void *moved = realloc(block, size);
        memory_was_refused |= !moved && size;
        return moved;
    }
    if (size <= block_size(block))
        return block;
    void *copy = image_malloc(opaque, size);
    if (copy) {
        memcpy(copy, block, block_size(block));
        image_free(opaque, block);
    }
    return copy;
}

static size_t image_usable_size(const void *block)
{
    if (is_of_nursery(block) || is_of_image(block))
        return block_size(block);
    return malloc_usable_size((void *)block);
}

#endif
