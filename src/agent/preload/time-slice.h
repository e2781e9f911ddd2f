/* Has the scheduler give this process longer turns and no larger share. */
void take_longer_turns(void);
