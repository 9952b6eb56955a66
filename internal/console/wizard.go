package console

func (s *server) newJob(c *call) error { return errNoSuchPage }
func (s *server) wizard(c *call) error { return errNoSuchPage }
