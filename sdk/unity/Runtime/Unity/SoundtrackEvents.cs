// SPDX-License-Identifier: Apache-2.0
using System;
using Segue.V1;
using UnityEngine;
using UnityEngine.Events;
using Event = Segue.V1.Event;

namespace Segue
{
    /// <summary>The player's events: raised on the main thread, when what they tell of is heard.</summary>
    public sealed partial class SoundtrackPlayer
    {
        [Header("Events")]
        [SerializeField] private UnityEvent<string> stateChanged = new UnityEvent<string>();
        [SerializeField] private UnityEvent<int> beat = new UnityEvent<int>();
        [SerializeField] private UnityEvent<int> bar = new UnityEvent<int>();
        [SerializeField] private UnityEvent underrun = new UnityEvent();
        [SerializeField] private UnityEvent<string> connectionChanged = new UnityEvent<string>();

        private ConnectionState _raisedState;
        private int _raisedUnderruns;

        public event Action<StateChanged> OnStateChanged;

        public event Action<TransitionStarted> OnTransitionStarted;

        public event Action<TransitionFinished> OnTransitionFinished;

        public event Action<Beat> OnBeat;

        public event Action<Bar> OnBar;

        public event Action<StingerStarted> OnStingerStarted;

        /// <summary>Whatever happens in the music, the above included.</summary>
        public event Action<Event> OnEvent;

        /// <summary>The stream has run dry; how often in all.</summary>
        public event Action<int> OnUnderrun;

        public event Action<ConnectionState> OnConnectionChanged;

        private void Forget()
        {
            _raisedState = ConnectionState.Idle;
            _raisedUnderruns = 0;
        }

        private void Raise(SoundtrackSession session)
        {
            for (Event heard; (heard = session.NextEvent()) != null;) Raise(heard);
            int underruns = session.Mixer.Underruns;
            if (underruns != _raisedUnderruns)
            {
                _raisedUnderruns = underruns;
                OnUnderrun?.Invoke(underruns);
                underrun.Invoke();
            }
            var state = session.State;
            if (state == _raisedState) return;
            _raisedState = state;
            if (state == ConnectionState.Failed) Debug.LogError("Segue: " + session.Error?.Message, this);
            OnConnectionChanged?.Invoke(state);
            connectionChanged.Invoke(state.ToString());
        }

        private void Raise(Event heard)
        {
            OnEvent?.Invoke(heard);
            switch (heard.WhichDetail)
            {
                case Event.DetailCase.StateChanged:
                    OnStateChanged?.Invoke(heard.StateChanged);
                    stateChanged.Invoke(heard.StateChanged.ToState);
                    break;
                case Event.DetailCase.TransitionStarted:
                    OnTransitionStarted?.Invoke(heard.TransitionStarted);
                    break;
                case Event.DetailCase.TransitionFinished:
                    OnTransitionFinished?.Invoke(heard.TransitionFinished);
                    break;
                case Event.DetailCase.Beat:
                    OnBeat?.Invoke(heard.Beat);
                    beat.Invoke(heard.Beat.Beat_);
                    break;
                case Event.DetailCase.Bar:
                    OnBar?.Invoke(heard.Bar);
                    bar.Invoke(heard.Bar.Bar_);
                    break;
                case Event.DetailCase.StingerStarted:
                    OnStingerStarted?.Invoke(heard.StingerStarted);
                    break;
            }
        }
    }
}
