/* The output folder of the main job: whose it is, and what a resumed run finds in it. */
#ifndef RETORT_TRAIN_DISTILL_FOLDER_H
#define RETORT_TRAIN_DISTILL_FOLDER_H

#include "base/hash.h"
#include "train/distill.h"

/* A hash of the options and inputs that decide selection, labels and training: of weights by their content, of
 * frames, label files and data sets by their path, of a command by its text. */
enum status distill_recipe(char recipe[SHA256_HEX], const struct distill_options *options,
                           const struct model *student, struct error *err);

/* Changes nothing. ERR_USAGE when the folder holds an earlier run, so that no two are mixed; on resume ERR_INPUT
 * when that run had another recipe. */
enum status distill_check_folder(const char *folder, bool resume, const char *recipe, struct arena *arena,
                                 struct error *err);

/* Makes the folder and writes the recipe. Candidates that are there go, because watching stores them again. */
enum status distill_open_folder(const char *folder, const char *recipe, struct arena *arena,
                                struct error *err);

/* Before the pictures of set/ and validation/ are put there: earlier ones go; labels stay when they are of these
 * pictures (a hash of them all), or else go, too. */
enum status distill_open_sets(const char *folder, const char *recipe, const char *pictures,
                              struct arena *arena, struct error *err);

/* Removes what an earlier end of the run wrote, which another one, with --ship say, need not write. */
enum status distill_forget_end(const char *folder, struct arena *arena, struct error *err);

/* Removes the pictures that watching stored and the folders it made, unless something else is in them: a
 * watch that failed is not to be taken for an earlier run. */
void distill_leave_nothing(const struct distill_result *result, const char *folder, struct arena *arena);

#endif
