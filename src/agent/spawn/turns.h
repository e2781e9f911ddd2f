/* Has the scheduler give this process longer turns and no larger share, also as the program that it becomes. */
void take_longer_turns(void);
