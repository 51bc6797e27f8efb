// SPDX-License-Identifier: Apache-2.0
using Segue.Audio;
using Segue.V1;

namespace Segue
{
    /// <summary>A stretch of time in which the music was in a state, or on its way to one.</summary>
    public struct StateStretch
    {
        /// <summary>The state; while on the way, the one it goes to.</summary>
        public string State;

        /// <summary>Whether it is a transition.</summary>
        public bool IsTransition;

        /// <summary>When it began, in seconds.</summary>
        public double Begin;

        /// <summary>When it ended, or is going to; infinite while nothing of its end is known.</summary>
        public double End;
    }

    /// <summary>States and transitions along the time, as they were heard. One thread at a time.</summary>
    public sealed class StateLane
    {
        private const int Most = 256;

        /// <summary>Stretches of states: one after the other, the oldest first.</summary>
        public Recent<StateStretch> States { get; } = new Recent<StateStretch>(Most);

        /// <summary>Stretches of transitions, the oldest first.</summary>
        public Recent<StateStretch> Transitions { get; } = new Recent<StateStretch>(Most);

        /// <summary>The state that the music is in; empty if it is not known.</summary>
        public string Current =>
            States.Count > 0 && double.IsPositiveInfinity(States[States.Count - 1].End) ? States[States.Count - 1].State : "";

        /// <summary>Another session begins, in a state that is not known yet.</summary>
        public void Begin(double time)
        {
            Cut(States, time);
            Cut(Transitions, time);
        }

        /// <summary>Take the state that a session was last told of, for as long as none was heard.</summary>
        public void Suppose(double time, string state)
        {
            if (state.Length > 0 && Current.Length == 0) Enter(time, state);
        }

        /// <summary>An event was heard.</summary>
        public void Heard(double time, Event heard)
        {
            if (heard.StateChanged != null) Enter(time, heard.StateChanged.ToState);
            else if (heard.TransitionStarted != null)
            {
                Cut(Transitions, time);
                var started = heard.TransitionStarted;
                double length = started.LengthSamples / (double)SoundtrackMixer.SampleRate;
                Transitions.Add(new StateStretch { State = started.ToState, IsTransition = true, Begin = time, End = time + length });
            }
            else if (heard.TransitionFinished != null || heard.TransitionCancelled != null) Cut(Transitions, time);
        }

        /// <summary>Keep nothing.</summary>
        public void Clear()
        {
            States.Clear();
            Transitions.Clear();
        }

        private void Enter(double time, string state)
        {
            if (state == Current) return;
            Cut(States, time);
            States.Add(new StateStretch { State = state, Begin = time, End = double.PositiveInfinity });
        }

        /// <summary>What has not ended yet ends now.</summary>
        private static void Cut(Recent<StateStretch> lane, double time)
        {
            if (lane.Count == 0) return;
            var last = lane[lane.Count - 1];
            if (last.End <= time) return;
            last.End = time;
            lane[lane.Count - 1] = last;
        }
    }
}
