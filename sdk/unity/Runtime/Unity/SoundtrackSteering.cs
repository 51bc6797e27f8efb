// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.Threading.Tasks;
using Segue.Wire;
using Debug = UnityEngine.Debug;
using Time = UnityEngine.Time;

namespace Segue
{
    /// <summary>How the player's controls are sent: one after the other, on worker threads; what goes wrong is logged.</summary>
    public sealed partial class SoundtrackPlayer
    {
        private const double ParametersEvery = 0.05;
        private const double AfterFailure = 1.0;
        private const double SayAgainAfter = 10.0;

        private readonly Dictionary<string, long> _said = new Dictionary<string, long>();
        private readonly ConcurrentQueue<Unsent> _unsent = new ConcurrentQueue<Unsent>();
        private ControlLine _controls = new ControlLine();
        private Task _sending = Task.CompletedTask;
        private double _sendAt;
        private string _toldId;
        private string _refusedOf = "";
        private SoundtrackAsset _badAsset;

        /// <summary>The asset's; null if there is none, or it can't be read, which is logged once.</summary>
        private SoundtrackOutline Outline
        {
            get
            {
                if (asset == null || asset == _badAsset) return null;
                try
                {
                    return asset.Outline;
                }
                catch (MalformedException error)
                {
                    _badAsset = asset;
                    Debug.LogError("Segue: the soundtrack asset \"" + asset.name + "\" can't be read. " + error.Message, this);
                    return null;
                }
            }
        }

        private void ForgetControls()
        {
            _controls = new ControlLine();
            _sending = Task.CompletedTask;
            _sendAt = 0.0;
            _toldId = null;
            if (_refusedOf != Soundtrack) _parameters.Forgive();
            _refusedOf = Soundtrack;
            lock (_said) _said.Clear();
        }

        private void Steer(Func<SoundtrackSession, Task> control)
        {
            var session = _session;
            if (session == null) return;
            // What was set before it counts for it: a guard may look at it.
            if (_parameters.HasNews && session.Id != null) SendParameters(session);
            _controls.Send(() => control(session)).ContinueWith(
                done =>
                {
                    if (done.Exception != null) Warn(done.Exception.GetBaseException().Message);
                },
                TaskScheduler.Default);
        }

        private void SteerPaused(bool paused) => Steer(session => paused ? (Task)session.PauseAsync() : session.PlayAsync());

        /// <summary>Send what has changed, if it is time to. Every frame.</summary>
        private void SteerParameters(SoundtrackSession session)
        {
            while (_unsent.TryDequeue(out var unsent)) TakeBack(session, unsent);
            string id = session.Id;
            if (id == null) return;
            // A session that was begun anew knows only what it was created with.
            if (_toldId != null && _toldId != id) _parameters.Renew();
            _toldId = id;
            if (!_parameters.HasNews || !_sending.IsCompleted || Time.realtimeSinceStartupAsDouble < _sendAt) return;
            if (session.State == ConnectionState.Failed || session.State == ConnectionState.Stopped) return;
            SendParameters(session);
        }

        private void SendParameters(SoundtrackSession session)
        {
            _sendAt = Time.realtimeSinceStartupAsDouble + ParametersEvery;
            var news = _parameters.Take();
            _sending = _controls.Send(() => session.SetParametersAsync(news)).ContinueWith(
                done =>
                {
                    if (done.Exception != null) _unsent.Enqueue(new Unsent(session, news, done.Exception.GetBaseException()));
                },
                TaskScheduler.Default);
        }

        /// <summary>Values that were not received are sent again, without the one that the soundtrack does not have.</summary>
        private void TakeBack(SoundtrackSession session, Unsent unsent)
        {
            if (unsent.Session != session) return;
            Warn(unsent.Error.Message);
            if (!(unsent.Error is SegueException error)) return;
            bool isUnknown = error.Reason == "UNKNOWN_NAME" && unsent.Values.ContainsKey(error.Name);
            if (isUnknown) _parameters.Refuse(error.Name);
            else _sendAt = Time.realtimeSinceStartupAsDouble + AfterFailure;
            if (isUnknown || Reception.IsPassing(error)) _parameters.Renew(unsent.Values.Keys);
        }

        private void Failed(SegueException error)
        {
            Complain(error?.Message ?? "the session failed.");
            // A parameter that does not exist is not to be in the way of the next Play.
            if (error != null && error.Reason == "UNKNOWN_NAME" && error.Kind == "parameter") _parameters.Refuse(error.Name);
        }

        private void CheckState(string state)
        {
            var outline = Outline;
            if (outline != null && !outline.HasState(state)) Warn(NearMisses.Unknown("state", state, outline.States));
        }

        private void CheckParameter(int id)
        {
            var outline = Outline;
            if (outline == null) return;
            string name = ParameterBoard.Name(id);
            if (outline.Parameter(name) != null) return;
            var known = new List<string>();
            foreach (var parameter in outline.Parameters) known.Add(parameter.Name);
            Warn(NearMisses.Unknown("parameter", name, known));
        }

        /// <summary>Log it, though not every frame. Any thread.</summary>
        private void Warn(string message)
        {
            lock (_said)
            {
                long now = Stopwatch.GetTimestamp();
                if (_said.TryGetValue(message, out long last) && now - last < SayAgainAfter * Stopwatch.Frequency) return;
                if (_said.Count >= 100) _said.Clear();
                _said[message] = now;
            }
            Debug.LogWarning("Segue: " + message, this);
        }

        private readonly struct Unsent
        {
            public readonly SoundtrackSession Session;
            public readonly Dictionary<string, double> Values;
            public readonly Exception Error;

            public Unsent(SoundtrackSession session, Dictionary<string, double> values, Exception error)
            {
                Session = session;
                Values = values;
                Error = error;
            }
        }
    }
}
