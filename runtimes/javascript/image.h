/* Keeps a call off the pages of the image.
 *
 * Every page that a call writes to is copied once and put back afterwards; with a program of one
 * line that is most of the cost. So at the end of the build the image is sealed: what is
 * allocated from then on lies together in pages of its own, blocks of the image that become free
 * are not used again, and the collector walks only what the call made. Included once, by shim.c.
 */
#ifndef LAZARET_IMAGE_H
#define LAZARET_IMAGE_H

/* Larger blocks of a call come one after the other from here, until it is used up. */
#define NURSERY_BYTES (64 * 1024)

/* A count of used blocks that no arena reaches: one with it never counts as full or empty, so
 * it neither joins a list nor is given back. */
#define NEVER_EMPTY 0x8000

static uint8_t nursery[NURSERY_BYTES] __attribute__((aligned(4096)));
static uint8_t *nursery_at = NULL; /* NULL while the image is built */

/* The collector's list of objects of the image: it is never walked. */
static struct list_head image_objects;

/* Set when memory was refused; never cleared, as an image lives for one call. */
static bool memory_was_refused;

static bool is_of_nursery(const void *block)
{
    return (uint8_t *)block >= nursery && (uint8_t *)block < nursery + NURSERY_BYTES;
}

/* A block of the nursery has its size in the eight bytes before it. */
static size_t nursery_size(const void *block)
{
    return ((const uint64_t *)block)[-1];
}

static void *nursery_malloc(size_t size)
{
    size_t room = (size + 15) & ~(size_t)7;
    if (!nursery_at || size > NURSERY_BYTES || room > (size_t)(nursery + NURSERY_BYTES - nursery_at))
        return NULL;
    uint8_t *block = nursery_at + 8;
    ((uint64_t *)block)[-1] = room - 8;
    nursery_at += room;
    return block;
}

static void *noted(void *block)
{
    memory_was_refused |= !block;
    return block;
}

static void *image_malloc(void *opaque, size_t size)
{
    void *block = nursery_malloc(size);
    return block ? block : noted(malloc(size));
}

static void *image_calloc(void *opaque, size_t count, size_t size)
{
    void *block = nursery_malloc(count * size);
    return block ? memset(block, 0, count * size) : noted(calloc(count, size));
}

/* The last block of the nursery is taken back; the others stay until the call ends. */
static void image_free(void *opaque, void *block)
{
    if (!is_of_nursery(block))
        free(block);
    else if ((uint8_t *)block + nursery_size(block) == nursery_at)
        nursery_at = (uint8_t *)block - 8;
}

static void *image_realloc(void *opaque, void *block, size_t size)
{
    if (!is_of_nursery(block))
        return size ? noted(realloc(block, size)) : realloc(block, size);
    if (size <= nursery_size(block))
        return block;
    void *copy = image_malloc(opaque, size);
    if (!copy)
        return NULL;
    memcpy(copy, block, nursery_size(block));
    image_free(opaque, block);
    return copy;
}

static size_t image_usable_size(const void *block)
{
    return is_of_nursery(block) ? nursery_size(block) : js__malloc_usable_size(block);
}

static const JSMallocFunctions image_memory = {
    image_calloc, image_malloc, image_free, image_realloc, image_usable_size,
};

/* Arenas that have room are never used again; an empty one of each size lies ready. */
static void seal_arenas(JSRuntime *rt)
{
    JSArenaState *arenas = &rt->arena_state;
    struct list_head *each;
    for (int size = 0; size < JS_ARENA_BLOCK_SIZE_COUNT; size++) {
        list_for_each(each, &arenas->arena_list[size])
            list_entry(each, JSArena, link)->n_used_blocks = NEVER_EMPTY;
        init_list_head(&arenas->arena_list[size]);
        init_list_head(&arenas->free_arena_list[size]);
    }
    for (int size = 0; size < JS_ARENA_BLOCK_SIZE_COUNT; size++)
        arena_new(rt, size)->n_used_blocks = NEVER_EMPTY;
}

/* The collector's list begins empty; objects of the image may still leave theirs. */
static void seal_objects(JSRuntime *rt)
{
    image_objects = rt->gc_obj_list;
    image_objects.next->prev = &image_objects;
    image_objects.prev->next = &image_objects;
    init_list_head(&rt->gc_obj_list);
}

static void seal_image(JSRuntime *rt)
{
    seal_arenas(rt);
    seal_objects(rt);
    nursery_at = nursery;
}

#endif
