/* Decoded views, kept while they fit. */
#include <stdlib.h>
#include <string.h>

#include "data/scenes/scene_sample.h"
#include "data/scenes/view.h"

struct scene_cache {
    const struct scene_set *set;
    size_t *first; /* (set->count) number of each scene's first view */
    size_t view_count, picture_bytes;
    int height, width;
    atomic_size_t left;           /* bytes */
    _Atomic(uint8_t *) *pictures; /* (view_count) (height, width, 3); NULL: not held */
};

ttt_status scene_cache_create(const struct scene_set *set, int height, int width, size_t bytes,
                              struct scene_cache **out)
{
    struct scene_cache *cache = calloc(1, sizeof *cache);
    *out = NULL;
    size_t views = 0;
    for (uint32_t i = 0; i < set->count; i++)
        views += set->scenes[i].view_count;
    if (cache) {
        cache->first = malloc(set->count * sizeof *cache->first);
        cache->pictures = calloc(views, sizeof *cache->pictures);
    }
    if (!cache || !cache->first || !cache->pictures) {
        scene_cache_destroy(cache);
        return ttt_fail(TTT_MEMORY, "not enough memory to keep track of %zu views", views);
    }
    cache->set = set;
    cache->view_count = views;
    cache->height = height;
    cache->width = width;
    cache->picture_bytes = (size_t)height * (size_t)width * 3;
    atomic_init(&cache->left, bytes);
    views = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        cache->first[i] = views;
        views += set->scenes[i].view_count;
    }
    *out = cache;
    return TTT_OK;
}

void scene_cache_destroy(struct scene_cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; cache->pictures && i < cache->view_count; i++)
        free(atomic_load(&cache->pictures[i]));
    free((void *)cache->pictures);
    free(cache->first);
    free(cache);
}

/* Takes the bytes of one picture from the budget, if they are left. */
static bool reserve(struct scene_cache *cache)
{
    size_t left = atomic_load(&cache->left);
    while (left >= cache->picture_bytes)
        if (atomic_compare_exchange_weak(&cache->left, &left, left - cache->picture_bytes))
            return true;
    return false;
}

/* Keeps the pixels of `picture`, if there is room and no other thread was first. */
static void keep(struct scene_cache *cache, size_t number, struct image *picture)
{
    uint8_t *none = NULL;
    if (!reserve(cache))
        return;
    if (atomic_compare_exchange_strong(&cache->pictures[number], &none, picture->pixels))
        *picture = (struct image){0};
    else
        atomic_fetch_add(&cache->left, cache->picture_bytes);
}

/* One picture as floats. */
static ttt_status load_picture(const struct scene *scene, uint32_t view, int height, int width,
                               struct scene_cache *cache, float *out)
{
    struct image picture;
    size_t number = cache ? cache->first[scene - cache->set->scenes] + view : 0;
    const uint8_t *held = cache ? atomic_load(&cache->pictures[number]) : NULL;
    if (held) {
        view_to_floats(held, height, width, out);
        return TTT_OK;
    }
    TRY(view_load(&scene->views[view], height, width, &picture));
    view_to_floats(picture.pixels, height, width, out);
    if (cache)
        keep(cache, number, &picture);
    image_free(&picture);
    return TTT_OK;
}

ttt_status view_block_load(const struct scene *scene, const uint32_t *views, int count,
                           const struct pose_frame *frame, int height, int width, struct scene_cache *cache,
                           const struct view_block *block)
{
    size_t floats = (size_t)height * (size_t)width * 3;
    for (int i = 0; i < count; i++) {
        const struct scene_view *view = &scene->views[views[i]];
        struct pose pose = pose_in_frame(frame, &view->c2w);
        double fxfycxcy[4];
        TRY(view_intrinsics(view, height, width, fxfycxcy));
        for (int k = 0; k < 4; k++)
            block->fxfycxcy[4 * i + k] = (float)fxfycxcy[k];
        for (int k = 0; k < 16; k++)
            block->c2w[16 * i + k] = (float)pose.m[k / 4][k % 4];
        if (block->images)
            TRY(load_picture(scene, views[i], height, width, cache, block->images + (size_t)i * floats));
    }
    return TTT_OK;
}
