package carrier

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats-server/v2/server"
)

// embedded is the server of this process. After its disk was full another one takes its place: the connections through
// memory come back to that one by themselves.
type embedded struct {
	options *server.Options
	log     *serverLog
	now     atomic.Pointer[server.Server] // the one that answers; nil while none does
}

// InProcessConn implements nats.InProcessConnProvider.
func (e *embedded) InProcessConn() (net.Conn, error) {
	if s := e.now.Load(); s != nil {
		return s.InProcessConn()
	}
	return nil, errors.New("the server is not running")
}

// JetStreamConfig is that of the server; nil while none runs.
func (e *embedded) JetStreamConfig() *server.JetStreamConfig {
	if s := e.now.Load(); s != nil {
		return s.JetStreamConfig()
	}
	return nil
}

// start starts a server, which answers when start has returned.
func (e *embedded) start() error {
	s, err := server.NewServer(e.options.Clone())
	if err != nil {
		return fmt.Errorf("make the server: %w", err)
	}
	s.SetLoggerV2(e.log, false, false, false)
	s.Start()
	switch got := s.JetStreamConfig(); {
	case !s.ReadyForConnections(startLimit) || !s.JetStreamEnabled():
		err = fmt.Errorf("start the server: not ready: %s", e.log.lastError())
	case got == nil || got.SyncAlways != e.options.SyncAlways:
		// A folder that is not synced as asked would lose what was promised, and nobody would see it before a crash.
		err = errors.New("start the server: it does not sync as configured")
	default:
		e.now.Store(s)
		return nil
	}
	s.Shutdown()
	s.WaitForShutdown()
	return err
}

// stop stops the server, if there is one, and waits for it.
func (e *embedded) stop() {
	if s := e.now.Swap(nil); s != nil {
		s.Shutdown()
		s.WaitForShutdown()
	}
}

func serverOptions(o Options) *server.Options {
	return &server.Options{
		ServerName:             "drover",
		JetStream:              true,
		StoreDir:               filepath.Join(o.Dir, natsName),
		DontListen:             true,
		NoSigs:                 true,
		DisableJetStreamBanner: true,
		MaxPayload:             maxPayload,
		MaxPending:             maxPending,
		SyncAlways:             o.Sync,
		JetStreamMaxMemory:     64 << 20, // LIVE: some KB a worker
		JetStreamMaxStore:      serverStore,
		// A consumer a job that is open; the default of 1,000 would be a limit on open jobs.
		JetStreamLimits: server.JSLimitOpts{DefaultMaxConsumers: 100_000},
	}
}

// serverLog passes the server's log on. Notices are of no interest to who runs drover.
type serverLog struct {
	to   *slog.Logger
	heal *healer // nil: nothing is healed
	mu   sync.Mutex
	last string
}

func (l *serverLog) lastError() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

func (l *serverLog) fail(format string, v []any) {
	s := fmt.Sprintf(format, v...)
	l.to.Error("carrier: " + s)
	l.heal.said(s)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = s
}

func (l *serverLog) Noticef(format string, v ...any) {
	l.to.Debug("carrier: " + fmt.Sprintf(format, v...))
}

func (l *serverLog) Warnf(format string, v ...any) {
	l.to.Warn("carrier: " + fmt.Sprintf(format, v...))
}
func (l *serverLog) Errorf(format string, v ...any) { l.fail(format, v) }
func (l *serverLog) Fatalf(format string, v ...any) { l.fail(format, v) }
func (l *serverLog) Debugf(string, ...any)          {}
func (l *serverLog) Tracef(string, ...any)          {}
